"""The course of a run in shards, with real tables and locks, and a Prefect in a script."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from sqlmodel import select

from lastword import shard_course, shard_work, shards
from lastword.errors import Systemic
from lastword.outcome import Outcome
from lastword.record import record
from lastword.runs import Which
from lastword.shard_course import Course, Seen, Sight, is_over
from lastword.shard_work import shard_lock
from models import Account, OutcomeKind, Run, Shard, ShardState
from models.database import Database

PARENT = "the run's"


@dataclass
class Prefect:
    """Remembers what it was asked for; how flow runs stand is set by hand."""

    sights: dict[str, Sight] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    is_away: bool = False

    async def start(self, number: int, attempt: int) -> str:
        if self.is_away:
            raise ConnectionError
        flow_run_id = f"{number}.{attempt}"
        self.sights[flow_run_id] = Sight(Seen.SCHEDULED)
        return flow_run_id

    async def seen(self, flow_run_ids: Collection[str]) -> Mapping[str, Sight]:
        return {key: sight for key, sight in self.sights.items() if key in flow_run_ids}

    async def crashed(self, flow_run_id: str, why: str) -> None:
        self.dead.append(f"{flow_run_id}: {why}")

    async def cancel(self, flow_run_ids: Collection[str], why: str) -> None:
        del why
        self.cancelled += flow_run_ids


@dataclass
class Play:
    """A run over four accounts in two shards, and processes that a test plays itself."""

    database: Database
    run: Run
    prefect: Prefect
    course: Course
    stack: AsyncExitStack

    async def states(self) -> list[str]:
        return [f"{it.state}" for it in await self.course.step()]

    async def begin(self, number: int, attempt: int = 1) -> tuple[Shard, AsyncExitStack]:
        """Begin a process: it holds its lock until the stack is closed."""
        process = await self.stack.enter_async_context(AsyncExitStack())
        await process.enter_async_context(shard_lock(self.database, number))
        flow_run_id = f"{number}.{attempt}"
        self.prefect.sights[flow_run_id] = Sight(Seen.BEGUN)
        _, shard = await shard_work.take(
            self.database, self.run.id or 0, number, flow_run_id=flow_run_id, parent=PARENT
        )
        return shard, process

    async def sync(self, shard: Shard, number: int = 2) -> None:
        for ref in (await shards.choose(self.database, self.run, shard))[:number]:
            async with self.database.session() as session:
                account = await session.get_one(Account, ref.id)
            outcome = Outcome(OutcomeKind.UNCHANGED, "nothing new")
            await record(self.database, self.run.id or 0, account, outcome, 0)

    async def change(self, shard: Shard, **values: object) -> None:
        async with self.database.writing() as session:
            row = await session.get_one(Shard, (shard.run_id, shard.number))
            for name, value in values.items():
                setattr(row, name, value)

    async def reason(self, number: int) -> str:
        return (await self.course.shards())[number - 1].reason


@pytest.fixture
async def play(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Play]:
    monkeypatch.setattr(shard_course, "AGAIN", 0)
    async with database.writing() as session:
        for name in "abcd":
            session.add(Account(name=name, source="x:a", jid="a@chat.example"))
    run_id = await shards.begin(database, Which.DUE, PARENT, size=2, force=False)
    async with database.session() as session:
        run = await session.get_one(Run, run_id)
    prefect = Prefect()
    async with AsyncExitStack() as stack:
        yield Play(database, run, prefect, Course(database, run, 1, prefect), stack)


async def test_one_after_another_to_the_end(play: Play) -> None:
    assert await play.states() == ["sent", "waiting"]
    assert await play.states() == ["sent", "waiting"]
    shard, process = await play.begin(1)
    assert await play.states() == ["running", "waiting"]
    await play.sync(shard)
    await process.aclose()
    await play.change(shard, ended_at=play.run.started_at)
    assert await play.states() == ["done", "sent"]
    second, process = await play.begin(2)
    await play.sync(second)
    await process.aclose()
    # Without a word of its own: its accounts have their outcomes, and nothing else counts.
    present = await play.course.step()
    assert is_over(present)
    assert [it.attempts for it in present] == [1, 1]
    assert play.course.trouble is None


async def test_what_died_is_sent_again_and_given_up_in_the_end(play: Play) -> None:
    await play.states()
    for attempt in (1, 2, 3):
        _, process = await play.begin(1, attempt)
        assert await play.states() == ["running", "waiting"]
        await process.aclose()
        again = attempt < 3
        assert await play.states() == (["sent", "waiting"] if again else ["given up", "sent"])
    assert play.prefect.dead == [f"1.{attempt}: its process died" for attempt in (1, 2, 3)]
    assert await play.reason(1) == "its process died; 2 of its accounts are without outcome"


async def test_what_failed_with_all_of_its_outcomes_is_done(play: Play) -> None:
    await play.states()
    shard, process = await play.begin(1)
    await play.sync(shard)
    play.prefect.sights["1.1"] = Sight(Seen.ENDED, "the key is missing")
    await process.aclose()
    assert await play.states() == ["done", "sent"]


async def test_what_failed_before_it_began_says_why(play: Play) -> None:
    await play.states()
    play.prefect.sights["1.1"] = Sight(Seen.ENDED, "there is no key")
    assert await play.states() == ["sent", "waiting"]
    assert (await play.reason(1)).startswith("there is no key; 2 of its accounts")
    assert play.prefect.dead == []


async def test_what_somebody_cancelled_is_not_sent_again(play: Play) -> None:
    await play.states()
    _, process = await play.begin(1)
    play.prefect.sights["1.1"] = Sight(Seen.CANCELLED)
    await process.aclose()
    assert await play.states() == ["cancelled", "sent"]


async def test_a_process_that_never_begins_is_not_waited_for(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play.states()
    play.prefect.sights["1.1"] = Sight(Seen.BEGUN)
    assert await play.states() == ["sent", "waiting"]
    monkeypatch.setattr(shard_course, "BEGINS", 0)
    assert await play.states() == ["sent", "waiting"]
    assert play.prefect.dead == ["1.1: its process never began"]
    assert "1.2" in play.prefect.sights


async def test_shards_that_no_worker_takes(play: Play) -> None:
    await play.states()
    shard, _ = await play.begin(1)
    play.course._life = -1000
    assert await play.states() == ["running", "waiting"]  # while one is at work, others may wait
    await play.sync(shard)
    await play.change(shard, state=ShardState.DONE)
    assert await play.states() == ["done", "sent"]
    play.course._life = -1000
    assert await play.states() == ["done", "given up"]
    assert "is there a worker with a free place" in str(play.course.trouble)
    assert play.prefect.cancelled == ["2.1"]


async def test_a_prefect_that_is_away_loses_no_shard(play: Play) -> None:
    play.prefect.is_away = True
    for _ in range(4):
        with pytest.raises(ConnectionError):
            await play.course.step()
    play.prefect.is_away = False
    assert await play.states() == ["sent", "waiting"]
    assert play.prefect.sights.keys() == {"1.1"}


async def test_what_has_begun_although_prefects_answer_was_lost(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(number: int, attempt: int) -> str:
        await play.begin(number, attempt)
        raise ConnectionError

    monkeypatch.setattr(play.prefect, "start", lost)
    with pytest.raises(ConnectionError):
        await play.course.step()
    assert [f"{it.state}" for it in await play.course.shards()] == ["running", "waiting"]


async def test_cancelling(play: Play) -> None:
    await play.states()
    shard, _ = await play.begin(1)
    await play.course.cancel("the run was cancelled")
    assert {it.state for it in await play.course.shards()} == {ShardState.CANCELLED}
    assert play.prefect.cancelled == [shard.flow_run_id]


async def test_a_run_that_another_has_closed_is_not_ours(play: Play) -> None:
    await shards.begin(play.database, Which.DUE, "another", size=2, force=False)
    with pytest.raises(Systemic, match="another run has begun"):
        await play.course.step()
    async with play.database.session() as session:
        states = set(await session.exec(select(Run.state)))
    assert states == {"Crashed", "Running"}
