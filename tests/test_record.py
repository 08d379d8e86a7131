"""Recording, on real databases: one outcome per account and run, whatever happens meanwhile."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import event
from sqlmodel import select

from lastword import runs
from lastword.attempt import attempt
from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, LastWordError, LoginRefused, Systemic, Transient
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.publishers.base import Publisher
from lastword.record import record
from lastword.runs import AccountRef, Which, WrongChoice
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.account import UNSETTLED
from models.database import Database
from models.types import now

PUBLISHED = Outcome(
    OutcomeKind.PUBLISHED, "by pep", post=Post(id="1", text="x"), status="x", carrier="pep"
)
UNCHANGED = Outcome(OutcomeKind.UNCHANGED, "nothing new")


class Broken(Source):
    """A source that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account, rules
        raise self.error


def services(database: Database, error: Exception) -> Services:
    return Services(
        settings=Settings(),
        database=database,
        http=cast("GuardedClient", None),
        sources={"feed": Broken(error)},
        publishers=dict[str, Publisher](),
        until_the_end=AsyncExitStack(),
    )


async def add(database: Database, name: str = "alice", **columns: object) -> Account:
    account = Account(name=name, source="feed:https://a.example/feed", jid=f"{name}@chat.example")
    for column, value in columns.items():
        setattr(account, column, value)
    async with database.session() as session, session.begin():
        session.add(account)
    return account


def ref(account: Account) -> AccountRef:
    assert account.id is not None
    return AccountRef(account.id, account.name)


async def read(database: Database) -> tuple[Account, list[LedgerEntry]]:
    async with database.session() as session:
        account = (await session.exec(select(Account))).one()
        ledger = await session.exec(select(LedgerEntry).order_by("id"))
        return account, list(ledger)


async def test_an_outcome_is_on_the_account_and_in_the_ledger(database: Database) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    account.source_memory = {"etag": "1"}
    await record(database, run_id, account, PUBLISHED, 1.5)
    saved, ledger = await read(database)
    assert (saved.last_outcome, saved.last_run_id) == (OutcomeKind.PUBLISHED, run_id)
    assert (saved.published_status, saved.published_post_id) == ("x", "1")
    assert saved.source_memory == {"etag": "1"}
    assert [(entry.kind, entry.carrier, entry.seconds) for entry in ledger] == [
        (OutcomeKind.PUBLISHED, "pep", 1.5)
    ]


async def test_since_when_a_status_stands_and_when_it_was_looked_at(database: Database) -> None:
    account = await add(database)

    async def times(outcome: Outcome) -> tuple[datetime | None, datetime]:
        await record(database, await runs.begin(database, Which.DUE, 1, None), account, outcome, 0)
        saved, _ = await read(database)
        assert saved.checked_at
        return saved.published_at, saved.checked_at

    published = await times(PUBLISHED)
    assert published[0]
    unchanged = await times(UNCHANGED)
    assert unchanged[0] == published[0], "it stands since then"
    assert unchanged[1] > published[1], "it was looked at"
    deferred = await times(Outcome.of_error(Deferred("later")))
    assert deferred[1] == unchanged[1], "it was not looked at: its turn is still to come"
    cleared = await times(Outcome(OutcomeKind.PUBLISHED, "cleared", status="", carrier="pep"))
    assert cleared[0] == published[0]
    saved, _ = await read(database)
    assert (saved.published_status, saved.published_post_id) == (None, "1")


async def test_what_has_expired_does_not_come_back(database: Database) -> None:
    undated = Post(id="1", text="x")
    account = await add(database, expires_after=timedelta(hours=12))

    async def chosen(days: float = 0, post: Post = undated) -> Post | None:
        saved, _ = await read(database)
        at = now() + timedelta(days=days)
        rules = Rules.of(saved, now=at, max_age=timedelta(days=30), opt_out="nostatus")
        return rules.choose([post]).post

    async def publish(outcome: Outcome) -> None:
        run_id = await runs.begin(database, Which.DUE, 1, None)
        await record(database, run_id, account, outcome, 0)

    await publish(PUBLISHED)
    assert await chosen() == undated
    assert await chosen(days=1) is None
    await publish(Outcome(OutcomeKind.PUBLISHED, "cleared", status="", carrier="pep"))
    assert await chosen(days=1) is None
    new = Post(id="2", text="y")
    assert await chosen(days=1, post=new) == new


async def test_those_that_wait_the_longest_come_first(database: Database) -> None:
    for name, hours in {"a": 1, "b": 3, "c": 2}.items():
        await add(database, name, checked_at=now() - timedelta(hours=hours))
    await add(database, "d")
    assert [one.name for one in await runs.choose(database, Which.DUE)] == ["d", "b", "c", "a"]


async def test_a_repeated_unchanged_leaves_no_row(database: Database) -> None:
    account = await add(database)
    for outcome in (PUBLISHED, UNCHANGED, UNCHANGED, UNCHANGED, PUBLISHED):
        await record(database, await runs.begin(database, Which.DUE, 1, None), account, outcome, 0)
    _, ledger = await read(database)
    kinds = [OutcomeKind.PUBLISHED, OutcomeKind.UNCHANGED, OutcomeKind.PUBLISHED]
    assert [entry.kind for entry in ledger] == kinds


async def test_nor_does_one_skipped_for_the_same_reason(database: Database) -> None:
    account = await add(database)
    for reason in ("is a reply", "is a reply", "is too old", "is too old", "is a reply"):
        outcome = Outcome(OutcomeKind.SKIPPED, reason)
        await record(database, await runs.begin(database, Which.DUE, 1, None), account, outcome, 0)
    _, ledger = await read(database)
    assert [entry.reason for entry in ledger] == ["is a reply", "is too old", "is a reply"]


async def test_never_two_outcomes_for_one_run(database: Database) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    await record(database, run_id, account, PUBLISHED, 0)
    await record(database, run_id, account, Outcome.of_error(Transient("late")), 0)
    saved, ledger = await read(database)
    assert saved.last_outcome is OutcomeKind.PUBLISHED
    assert len(ledger) == 1


async def test_what_was_edited_meanwhile_is_not_judged_by_the_old_wiring(
    database: Database,
) -> None:
    loaded = await add(database)
    async with database.session() as session, session.begin():
        edited = await session.get_one(Account, loaded.id)
        edited.edited_at = now() + timedelta(seconds=1)
    loaded.pep_memory = {"asked": "", "held": {"activity": "presence"}}
    run_id = await runs.begin(database, Which.DUE, 1, None)
    refused = Outcome.of_error(LoginRefused("chat.example refused the password"))
    recorded = await record(database, run_id, loaded, refused, 0)
    saved, _ = await read(database)
    assert saved.health is Health.OK
    assert saved.last_outcome is OutcomeKind.FAILED
    assert saved.pep_memory == loaded.pep_memory, "the server has it, whatever people want since"
    assert not recorded.began_to_need_owner


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        ({"active": False}, "resumable"),
        ({"publisher": "operator"}, "resumable"),
        ({"jid": "other@chat.example"}, None),
    ],
)
async def test_what_was_edited_meanwhile_keeps_the_session_that_is_still_its_own(
    database: Database, edit: dict[str, object], kept: str | None
) -> None:
    loaded = await add(database)
    async with database.session() as session, session.begin():
        edited = await session.get_one(Account, loaded.id)
        edited.edited_at = now() + timedelta(seconds=1)
        edited.sqlmodel_update(edit)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    loaded.session_memory = "resumable"
    await record(database, run_id, loaded, PUBLISHED, 0)
    saved, _ = await read(database)
    assert saved.session_memory == kept
    assert saved.published_status is None
    looks_anew = (saved.pep_memory or {}).get("asked") == UNSETTLED
    assert looks_anew is ("publisher" in edit)


async def test_a_removed_account_is_no_trouble(database: Database) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    async with database.session() as session, session.begin():
        await session.delete(await session.get_one(Account, account.id))
    await record(database, run_id, account, PUBLISHED, 0)
    outcome, _ = await attempt(ref(account), run_id, services(database, ValueError()), last=True)
    assert outcome.kind is OutcomeKind.SKIPPED


async def test_the_owner_is_told_once_when_it_begins_and_once_when_it_ends(
    database: Database,
) -> None:
    account = await add(database)
    refused = Outcome.of_error(LoginRefused("no"))
    told = [
        await record(database, await runs.begin(database, Which.DUE, 1, None), account, outcome, 0)
        for outcome in (refused, refused, PUBLISHED, PUBLISHED)
    ]
    assert [one.began_to_need_owner for one in told] == [True, False, False, False]
    assert [one.ceased_to_need_owner for one in told] == [False, False, True, False]


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (LoginRefused("no"), OutcomeKind.FAILED, "LoginRefused"),
        (Deferred("later"), OutcomeKind.DEFERRED, "Deferred"),
        (Transient("again"), OutcomeKind.FAILED, "Transient"),
        (KeyError("a secret"), OutcomeKind.FAILED, "Defect"),
        (Systemic("the key is wrong"), OutcomeKind.DEFERRED, "Stopped"),
    ],
)
async def test_each_error_is_one_outcome(
    database: Database, error: Exception, kind: OutcomeKind, name: str
) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    outcome, _ = await attempt(ref(account), run_id, services(database, error), last=True)
    saved, ledger = await read(database)
    assert (outcome.kind, saved.last_error) == (kind, name)
    assert [entry.error for entry in ledger] == [name]
    assert "a secret" not in outcome.reason


async def test_the_server_that_an_error_happened_at_is_kept(database: Database) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    error = LoginRefused("no")
    error.host = "chat.example"
    await attempt(ref(account), run_id, services(database, error), last=True)
    saved, _ = await read(database)
    assert saved.last_host == "chat.example"


async def test_a_transient_error_is_raised_while_a_retry_follows(database: Database) -> None:
    account = await add(database)
    run_id = await runs.begin(database, Which.DUE, 1, None)
    with pytest.raises(Transient):
        await attempt(ref(account), run_id, services(database, Transient("x")), last=False)
    saved, ledger = await read(database)
    assert (saved.last_outcome, ledger) == (None, [])


async def test_something_systemic_stops_the_accounts_after_it(database: Database) -> None:
    alice, bob = await add(database), await add(database, "bob")
    run_id = await runs.begin(database, Which.DUE, 2, None)
    shared = services(database, Systemic("the app's key was refused"))
    await attempt(ref(alice), run_id, shared, last=True)
    outcome, _ = await attempt(ref(bob), run_id, shared, last=True)
    assert outcome.reason == "the run was stopped: the app's key was refused"
    ended = await runs.tally(database, run_id, 2)
    assert ended.counts == {OutcomeKind.DEFERRED: 2}
    async with database.session() as session:
        healths = (await session.exec(select(Account.health))).all()
    assert healths == [Health.OK, Health.OK]


async def test_a_dry_run_records_only_a_refusal(database: Database) -> None:
    account = await add(database)
    for error, health in ((Transient("x"), Health.OK), (LoginRefused("x"), Health.NEEDS_OWNER)):
        await attempt(ref(account), None, services(database, error), last=True, dry_run=True)
        saved, ledger = await read(database)
        assert (saved.health, saved.last_run_id, ledger) == (health, None, [])


async def test_paused_when_its_turn_comes_nothing_heals(database: Database) -> None:
    refused = {"health": Health.NEEDS_OWNER, "last_error": "LoginRefused"}
    account = await add(database, active=False, failures=1, **refused)
    run_id = await runs.begin(database, Which.ALL, 1, None)
    outcome, recorded = await attempt(
        ref(account), run_id, services(database, ValueError()), last=True
    )
    saved, _ = await read(database)
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.SKIPPED,
        "the account was paused meanwhile",
    )
    assert (saved.health, saved.failures) == (Health.NEEDS_OWNER, 1)
    assert saved.last_error == "LoginRefused", "or resuming it would try the same password again"
    assert not recorded.ceased_to_need_owner


async def test_who_is_due(database: Database) -> None:
    later, before = now() + timedelta(hours=1), now() - timedelta(hours=1)
    failed = {"last_outcome": OutcomeKind.FAILED}
    await add(database, "a-new")
    await add(database, "b-paused", active=False)
    await add(database, "c-waiting", health=Health.NEEDS_OWNER, **failed)
    await add(database, "d-later", health=Health.GONE, due_at=later, **failed)
    await add(database, "e-again", health=Health.GONE, due_at=before, **failed)

    async def names(which: Which) -> str:
        return "".join(one.name[0] for one in await runs.choose(database, which))

    assert await names(Which.DUE) == "ae"
    assert await names(Which.FAILED) == "cde"
    assert await names(Which.ALL) == "acde"
    named = await runs.choose(database, Which.DUE, ["d-later", "c-waiting"])
    assert [one.name for one in named] == ["c-waiting", "d-later"]
    for wrong in (["a-new", "nobody"], ["b-paused"]):
        with pytest.raises(WrongChoice):
            await runs.choose(database, Which.DUE, wrong)


async def test_a_run_closes_those_that_died_before_it(database: Database) -> None:
    died = await runs.begin(database, Which.DUE, 3, "flow-run-1")
    lives = await runs.begin(database, Which.DUE, 0, "flow-run-2")
    await runs.finish(database, lives, await runs.tally(database, lives, 0), "Completed", "fine")
    async with database.session() as session:
        states = {run.id: run.state for run in await session.exec(select(Run))}
    assert states == {died: "Crashed", lives: "Completed"}
    assert [run.id for run in await runs.ended_after(database, died)] == [lives]


def test_every_error_of_the_tree_has_advice() -> None:
    from lastword.advice import advice  # noqa: PLC0415

    names = {error.__name__ for error in _tree(LastWordError)}
    assert names >= {"LoginRefused", "Gone", "Transient", "Systemic", "KeyTrouble", "SealBroken"}
    for name in names - {"Defect", "WrongChoice", "Broken"}:
        assert "defect" not in advice(name, "alice")
    assert "defect" in advice("Defect", "alice")


def _tree(kind: type[LastWordError]) -> set[type[LastWordError]]:
    return set(kind.__subclasses__()).union(*(_tree(one) for one in kind.__subclasses__()))


async def test_hundreds_record_at_once(database: Database) -> None:
    crowd = [await add(database, f"p{number}") for number in range(300)]
    run_id = await runs.begin(database, Which.DUE, len(crowd), None)
    async with asyncio.TaskGroup() as group:
        for account in crowd:
            group.create_task(record(database, run_id, account, PUBLISHED, 0))
    ended = await runs.tally(database, run_id, len(crowd))
    assert ended.counts == {OutcomeKind.PUBLISHED: len(crowd)}


class Curious(Broken):
    """A source that is told which accounts a run is over."""

    learnt: tuple[tuple[str, object], ...] = ()

    def expect(self, accounts: Sequence[Account]) -> None:
        self.learnt = tuple((it.source, it.source_memory) for it in accounts)


async def test_sources_learn_what_they_need_of_the_accounts_of_a_run(database: Database) -> None:
    crowd = [await add(database, f"p{place}", source_memory={"n": place}) for place in range(4)]
    source = Curious(ValueError())
    sources: dict[str, Source] = {"feed": source, "x": Broken(ValueError())}
    await runs.expect(database, sources, [ref(crowd[2]), ref(crowd[0])])
    assert sorted(source.learnt, key=str) == [
        ("feed:https://a.example/feed", {"n": place}) for place in (0, 2)
    ]
    await runs.expect(database, sources, [])


async def test_nobody_is_read_who_only_stands_between_two_of_a_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_AT_ONCE", 2)
    crowd = [await add(database, f"p{place}", source_memory={"n": place}) for place in range(12)]
    source, read_rows = Curious(ValueError()), list[Account]()

    def note(row: Account, _: object) -> None:
        read_rows.append(row)

    event.listen(Account, "load", note)
    try:
        await runs.expect(database, {"feed": source}, [ref(crowd[it]) for it in (11, 0, 6)])
    finally:
        event.remove(Account, "load", note)
    assert [memory for _, memory in source.learnt] == [{"n": 0}, {"n": 6}, {"n": 11}]
    assert len(read_rows) == 3
