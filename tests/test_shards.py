"""Shards in our own tables: each account in one of them, and the numbers always add up."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pytest
from sqlmodel import select, update

from lastword import accounts, runs, shard_work, shards
from lastword.attempt import attempt
from lastword.errors import Abandoned, Systemic
from lastword.outcome import Outcome
from lastword.record import record
from lastword.runs import AccountRef, Which
from lastword.services import Services
from lastword.settings import Settings
from lastword.shard_work import ShardUnderWay, lock_of, shard_lock
from lastword.sources.http import GuardedClient
from models import Account, Health, OutcomeKind, Run, Shard, ShardState
from models.database import Database
from models.lock import is_held
from models.types import now

UNCHANGED = Outcome(OutcomeKind.UNCHANGED, "nothing new")
PARENT = "the flow run of the run"


async def add(database: Database, *names: str, **more: object) -> None:
    async with database.writing() as session:
        for name in names:
            account = Account(name=name, source="x:a", jid="a@chat.example", **more)  # type: ignore[arg-type]
            session.add(account)


async def begin(database: Database, which: Which = Which.DUE, size: int = 4) -> Run:
    run_id = await shards.begin(database, which, PARENT, size=size, force=False)
    async with database.session() as session:
        return await session.get_one(Run, run_id)


async def sync(database: Database, run: Run, refs: list[AccountRef]) -> None:
    """Give these an outcome of the run."""
    for ref in refs:
        async with database.session() as session:
            account = await session.get(Account, ref.id)
        if account:
            await record(database, run.id or 0, account, UNCHANGED, 0)


async def tally(database: Database, run: Run) -> tuple[int, int, int]:
    """Return how many were due, have an outcome, have none."""
    due = await shards.due(database, run.id or 0)
    ended = await runs.tally(database, run.id or 0, due)
    return due, sum(ended.counts.values()), ended.without_outcome


async def test_ranges_hold_all_that_are_due_and_no_more_than_their_size(
    database: Database,
) -> None:
    await add(database, *(f"a{number:02}" for number in range(10)))
    await add(database, "paused", active=False)
    await add(database, "refused", health=Health.NEEDS_OWNER)
    await add(database, "later", due_at=now() + timedelta(hours=3))
    await add(database, "last")
    run = await begin(database)
    made = await shards.shards_of(database, run.id or 0)
    assert [(it.number, it.due, it.state) for it in made] == [
        (1, 4, ShardState.WAITING),
        (2, 4, ShardState.WAITING),
        (3, 3, ShardState.WAITING),
    ]
    assert run.due == 11
    assert made[0].first == 1
    for one, other in pairwise(made):
        assert other.first == one.last + 1
    chosen = [ref.name for it in made for ref in await shards.choose(database, run, it)]
    assert chosen == [*(f"a{number:02}" for number in range(10)), "last"]


@pytest.mark.parametrize("which", Which)
async def test_a_run_over_nobody_has_no_shards(database: Database, which: Which) -> None:
    run = await begin(database, which)
    assert await shards.shards_of(database, run.id or 0) == []
    assert await tally(database, run) == (0, 0, 0)


async def test_it_adds_up_while_accounts_come_and_go(database: Database) -> None:
    names = [f"a{number:02}" for number in range(20)]
    await add(database, *names)
    await add(database, "asleep", active=False)
    await add(database, *(f"b{number:02}" for number in range(4)))
    run = await begin(database, size=8)
    first, second, third = await shards.shards_of(database, run.id or 0)
    assert run.due == 24

    taken = await shards.choose(database, run, first)
    await accounts.remove(database, "a00")  # before its turn,
    await sync(database, run, taken[:4])
    await accounts.remove(database, "a01")  # and after it
    assert await tally(database, run) == (22, 2, 20)

    await accounts.pause(database, "a08")
    await accounts.resume(database, "asleep")
    await add(database, "newcomer")
    chosen = [await shards.choose(database, run, it) for it in (first, second, third)]
    met = Counter(ref.name for refs in chosen for ref in refs)
    assert set(met.values()) == {1}
    # Who was resumed before its shard was taken comes along; who is new waits for the next run.
    assert met.keys() == {*names[4:8], *names[9:], "asleep", *(f"b{n:02}" for n in range(4))}
    # Nobody owes the resumed one an outcome yet: its shard might have been taken before.
    assert await tally(database, run) == (21, 2, 19)

    for refs in chosen:
        await sync(database, run, refs)
    assert await tally(database, run) == (22, 22, 0)
    for shard in (first, second, third):
        assert await shards.choose(database, run, shard) == []
        assert await shards.left(database, run, shard) == 0


async def test_one_that_is_resumed_too_late_is_nobodys_loss(database: Database) -> None:
    await add(database, "a", "b", "c", "d")
    await add(database, "asleep", active=False)
    await add(database, "e")
    run = await begin(database)
    _, second = await shards.shards_of(database, run.id or 0)
    refs = [ref for it in (_, second) for ref in await shards.choose(database, run, it)]
    await accounts.resume(database, "asleep")
    await sync(database, run, refs)
    assert await tally(database, run) == (5, 5, 0)
    assert await shards.left(database, run, second) == 0
    assert (await runs.choose(database, Which.DUE))[0].name == "asleep"


async def test_an_attempt_takes_what_the_one_before_it_left(database: Database) -> None:
    await add(database, "a", "b", "c", "d")
    run = await begin(database)
    (shard,) = await shards.shards_of(database, run.id or 0)
    await sync(database, run, (await shards.choose(database, run, shard))[:3])
    assert [ref.name for ref in await shards.choose(database, run, shard)] == ["d"]
    assert await shards.left(database, run, shard) == 1


async def test_a_failed_account_is_rerun_once(database: Database) -> None:
    await add(database, "a", "b", last_outcome=OutcomeKind.FAILED)
    await add(database, "well", last_outcome=OutcomeKind.PUBLISHED)
    run = await begin(database, Which.FAILED)
    (shard,) = await shards.shards_of(database, run.id or 0)
    refs = await shards.choose(database, run, shard)
    assert [ref.name for ref in refs] == ["a", "b"]
    for ref in refs:
        async with database.session() as session:
            account = await session.get_one(Account, ref.id)
        failed = Outcome(OutcomeKind.FAILED, "again")
        await record(database, run.id or 0, account, failed, 0)
    assert await shards.choose(database, run, shard) == []
    assert await tally(database, run) == (2, 2, 0)


async def test_an_older_run_never_overwrites_a_newer(database: Database) -> None:
    await add(database, "a")
    old, new = await begin(database), await begin(database)
    async with database.session() as session:
        account = (await session.exec(select(Account))).one()
    await record(database, new.id or 0, account, UNCHANGED, 0)
    await record(database, old.id or 0, account, Outcome(OutcomeKind.FAILED, "late"), 0)
    async with database.session() as session:
        found = (await session.exec(select(Account))).one()
    assert (found.last_run_id, found.last_outcome) == (new.id, OutcomeKind.UNCHANGED)


async def take(database: Database, run: Run, **more: str) -> Shard:
    asked = {"flow_run_id": "1", "parent": PARENT} | more
    taken, shard = await shard_work.take(database, run.id or 0, 1, **asked)
    assert taken == run
    return shard


async def test_taking_a_shard(database: Database) -> None:
    await add(database, "a")
    run = await begin(database)
    shard = await take(database, run)
    assert (shard.state, shard.flow_run_id) == (ShardState.RUNNING, "1")
    assert shard.started_at
    with pytest.raises(Systemic, match="knows no shard 2"):
        await shard_work.take(database, run.id or 0, 2, flow_run_id="1", parent=PARENT)
    with pytest.raises(Systemic, match="share one database"):
        await take(database, run, parent="another server's")
    async with database.writing() as session:
        await session.exec(update(Shard).values(state=ShardState.GIVEN_UP))
    with pytest.raises(Abandoned, match="shard 1 of run 1 is over: given up"):
        await take(database, run)
    await begin(database)
    with pytest.raises(Abandoned, match="run 1 is over"):
        await take(database, run)


async def test_one_process_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_work, "PATIENCE", 0)
    async with shard_lock(database, 3):
        assert await is_held(database, lock_of(3))
        async with shard_lock(database, 4):
            pass
        with pytest.raises(ShardUnderWay, match="another process is at work on this shard since"):
            async with shard_lock(database, 3):
                pass
    assert not await is_held(database, lock_of(3))


async def test_the_next_process_waits_for_the_one_before_it(database: Database) -> None:
    async with AsyncExitStack() as before:
        await before.enter_async_context(shard_lock(database, 3))
        entered = asyncio.Event()

        async def wait() -> None:
            async with shard_lock(database, 3):
                entered.set()

        waiting = asyncio.create_task(wait())
        assert await is_held(database, lock_of(3))
        assert not entered.is_set()
        await before.aclose()
        async with asyncio.timeout(20):
            await waiting
        assert entered.is_set()


def services(database: Database) -> Services:
    return Services(
        settings=Settings(),
        database=database,
        http=cast("GuardedClient", None),
        sources={},
        publishers={},
        until_the_end=AsyncExitStack(),
    )


@pytest.mark.parametrize("how", ["the next run began", "another process", "cancelled"])
async def test_a_process_whose_work_nobody_wants_begins_no_account(
    database: Database, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(shard_work, "LOOK", 0.01)
    await add(database, "a")
    run = await begin(database)
    shard = await take(database, run)
    ours = services(database)
    (ref,) = await shards.choose(database, run, shard)
    async with shard_work.watching(ours, shard):
        if how == "the next run began":
            await begin(database)
        elif how == "another process":
            await take(database, run, flow_run_id="2")
        else:
            async with database.writing() as session:
                await session.exec(update(Shard).values(state=ShardState.CANCELLED))
        async with asyncio.timeout(20):
            while not ours.abandoned:
                await asyncio.sleep(0.01)
    with pytest.raises(Abandoned):
        await attempt(ref, run.id, ours, last=True)
    assert (await tally(database, run))[1] == 0


async def test_closing_tells_what_was_met(database: Database) -> None:
    await add(database, "a")
    run = await begin(database)
    shard = await take(database, run)
    ours = services(database)
    ours.troubles["x"] = Systemic("the app's key was refused", "x")
    await shard_work.close(ours, shard, "1 Deferred")
    (closed,) = await shards.shards_of(database, run.id or 0)
    assert closed.troubles == {"x": "the app's key was refused"}
    assert (closed.ended_at is not None, closed.reason) == (True, "1 Deferred")


async def test_closing_late_changes_nothing(database: Database) -> None:
    await add(database, "a")
    run = await begin(database)
    shard = await take(database, run)
    other = await take(database, run, flow_run_id="2")
    await shard_work.close(services(database), shard, "1 Unchanged")
    (present,) = await shards.shards_of(database, run.id or 0)
    assert (present.flow_run_id, present.ended_at) == (other.flow_run_id, None)
