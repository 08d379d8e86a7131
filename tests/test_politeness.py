"""Turns at a host: few at once, not too fast, not for ever, and each host by itself."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import cast

import pytest

from lastword.errors import Deferred, Rejected
from lastword.host_turns import Turns
from lastword.sources import politeness
from lastword.sources.allowance import Allowance
from lastword.sources.politeness import Politeness
from models.database import Database

HOST, OTHER = "social.example", "blog.example"
ALLOWANCE = Allowance(requests=300, seconds=300)


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """One test asks for it."""
    monkeypatch.setattr(politeness, "JITTER", 0)


def polite(concurrency: int = 4, rate: float = 10_000, patience: float = 60) -> Politeness:
    return Politeness(concurrency=concurrency, rate=rate, patience=patience)


class Counted(Turns):
    """Turns that begin at once; each block that is taken is noted."""

    def __init__(self) -> None:
        super().__init__(cast("Database", None), rate=20, processes=4)
        self.taken: list[tuple[str, int]] = []

    async def take(self, host: str, number: int) -> float:
        self.taken.append((host, number))
        return 0.0


async def test_processes_that_share_a_host_take_turns_by_what_waits() -> None:
    shared = Counted()
    ours = Politeness(concurrency=1, rate=20, patience=60, turns=shared)

    async def ask(place: str) -> None:
        async with ours.turn(place, None):
            await asyncio.sleep(0)

    await asyncio.gather(*(ask(OTHER) for _ in range(5)))
    assert shared.taken == []
    await asyncio.gather(*(ask(HOST) for _ in range(20)))
    assert shared.taken == [(HOST, 5 + 10), (HOST, 5)]


class Queue:
    """Requests that stay under way until they are told to end."""

    def __init__(self, turns: Politeness) -> None:
        self._turns = turns
        self._changed = asyncio.Condition()
        self.tasks: list[asyncio.Task[None]] = []
        self.under_way: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    def ask(self, place: str = HOST, times: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._ask(place)) for _ in range(times)]

    async def _ask(self, place: str) -> None:
        async with self._turns.turn(place, None):
            end = asyncio.Event()
            self.under_way[place].append(end)
            async with self._changed:
                self._changed.notify_all()
            try:
                await end.wait()
            finally:
                self.under_way[place].remove(end)

    async def until_under_way(self, number: int, place: str = HOST) -> None:
        """Wait for so many, and for more who should not be there."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.under_way[place]) >= number)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(self.under_way[place]) == number

    def end(self, times: int = 1, place: str = HOST) -> None:
        for event in self.under_way[place][:times]:
            event.set()


@asynccontextmanager
async def queue(turns: Politeness) -> AsyncIterator[Queue]:
    asked = Queue(turns)
    yield asked
    for task in asked.tasks:
        task.cancel()
    await asyncio.gather(*asked.tasks, return_exceptions=True)


async def take(turns: Politeness, place: str = HOST, allowance: Allowance | None = None) -> None:
    async with turns.turn(place, allowance):
        pass


async def test_no_more_at_once_than_told() -> None:
    async with queue(polite(concurrency=4)) as asked:
        asked.ask(times=10)
        await asked.until_under_way(4)
        asked.end(3)
        await asyncio.wait(asked.tasks, return_when=asyncio.FIRST_COMPLETED)
        await asked.until_under_way(4)
        asked.end(4)
        await asyncio.wait(asked.tasks[4:], return_when=asyncio.FIRST_COMPLETED)
        await asked.until_under_way(3)
        asked.end(3)
        await asyncio.gather(*asked.tasks)


async def test_hosts_have_queues_of_their_own() -> None:
    async with queue(polite(concurrency=2)) as asked:
        asked.ask(HOST, times=5)
        await asked.until_under_way(2)
        asked.ask(OTHER, times=5)
        asked.ask(f"{HOST}:8443", times=1)
        await asked.until_under_way(2, OTHER)
        await asked.until_under_way(1, f"{HOST}:8443")
        await asked.until_under_way(2)


async def test_whoever_ends_badly_gives_the_place_back() -> None:
    turns = polite(concurrency=1)
    for _ in range(3):
        with pytest.raises(Rejected):
            async with turns.turn(HOST, None):
                raise Rejected("404")
    await take(turns)


async def test_who_is_cancelled_gives_the_place_back() -> None:
    async with queue(polite(concurrency=2)) as asked:
        asked.ask(times=6)
        await asked.until_under_way(2)
        for task in asked.tasks[1:4]:  # one under way, and two that wait
            task.cancel()
        await asyncio.wait(asked.tasks[1:4])
        await asked.until_under_way(2)
        asked.end(1)
        await asyncio.wait(asked.tasks[:1])
        await asked.until_under_way(2)


async def test_who_is_cancelled_while_the_pace_holds_it_gives_the_place_back() -> None:
    turns = polite(concurrency=1, rate=0.001, patience=0.02)
    await take(turns)
    async with queue(turns) as asked:
        asked.ask()
        done, _ = await asyncio.wait(asked.tasks, timeout=0.05)
        assert not done
        asked.tasks[0].cancel()
        await asyncio.wait(asked.tasks)
        asked.ask()
        done, _ = await asyncio.wait(asked.tasks[1:], timeout=0.1)
        assert not done, "it waits for the pace too, and is not told that the host is slow"


async def test_a_queue_that_does_not_move_is_left() -> None:
    async with queue(polite(concurrency=2, patience=0.1)) as asked:
        asked.ask(times=2)
        await asked.until_under_way(2)
        asked.ask(times=20)
        results = await asyncio.gather(*asked.tasks[2:], return_exceptions=True)
        assert {type(result) for result in results} == {Deferred}
        assert {str(x) for x in results} == {f"{HOST} is slow: the rest of its accounts wait"}
        assert [x.until for x in results if isinstance(x, Deferred)] == [None] * 20
        asked.ask(OTHER)
        await asked.until_under_way(1, OTHER)
        asked.end(2)
        await asyncio.gather(*asked.tasks[:2])
        asked.ask(times=1)
        await asked.until_under_way(1)


async def test_a_queue_that_did_not_move_is_kept_short() -> None:
    """Whoever comes later does not wait as long anew: all of a run's places would be taken."""
    turns = polite(concurrency=2, patience=0.05)
    async with queue(turns) as asked:
        asked.ask(times=3)
        await asyncio.wait(asked.tasks, return_when=asyncio.FIRST_COMPLETED)
        turns._patience = 60
        asked.ask(times=20)
        async with asyncio.timeout(30):
            results = await asyncio.gather(
                *asked.tasks[2:3], *asked.tasks[5:], return_exceptions=True
            )
        assert {str(end) for end in results} == {f"{HOST} is slow: the rest of its accounts wait"}
        asked.ask(OTHER, times=20)
        await asked.until_under_way(2, OTHER)
        asked.end(2)
        await asyncio.wait(asked.tasks[:2])
        await asked.until_under_way(2)  # those who did wait


async def test_patience_is_for_the_turn_not_for_the_request() -> None:
    async with queue(polite(concurrency=1, patience=0.05)) as asked:
        asked.ask()
        await asked.until_under_way(1)
        done, _ = await asyncio.wait(asked.tasks, timeout=0.2)
        assert not done


async def test_patience_does_not_end_for_our_own_pace() -> None:
    turns = polite(concurrency=2, rate=20, patience=0.05)
    await asyncio.gather(*(take(turns) for _ in range(28)))


async def test_what_speaks_against_a_request_gives_the_turn_to_the_next() -> None:
    turns = polite(concurrency=1)

    def down() -> None:
        raise Deferred("down")

    for _ in range(3):
        with pytest.raises(Deferred, match="down"):
            async with turns.turn(HOST, ALLOWANCE, down):
                raise AssertionError
    await take(turns, HOST, ALLOWANCE)


@pytest.mark.parametrize("rate", [50, 200])
async def test_not_faster_than_told(rate: int) -> None:
    """Never more than a second's worth at once and then the rate, by the clock's own count."""
    turns = polite(concurrency=8, rate=rate)
    began, taken = monotonic(), 0

    async def ask() -> None:
        nonlocal taken
        async with turns.turn(HOST, None):
            taken += 1
            assert taken <= rate + rate * (monotonic() - began) + 1

    await asyncio.gather(*(ask() for _ in range(rate + rate // 4)))
    assert monotonic() - began >= 0.2


async def test_slower_than_once_a_second() -> None:
    turns = polite(rate=0.001)
    async with queue(turns) as asked:
        asked.ask(times=3)
        await asked.until_under_way(1)
        asked.ask(OTHER)
        await asked.until_under_way(1, OTHER)


async def test_the_first_requests_do_not_come_on_the_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(politeness, "JITTER", 0.3)
    monkeypatch.setattr(politeness, "uniform", lambda _, most: most)
    turns, began = polite(), monotonic()
    await asyncio.gather(take(turns), take(turns), take(turns, OTHER))
    assert monotonic() - began >= 0.3
    while monotonic() - began < 0.3:
        await asyncio.sleep(0)
    async with queue(turns) as asked:
        asked.ask(times=3)
        await asked.until_under_way(3)  # at once, for the host is no new one


async def test_no_request_of_a_new_host_escapes_the_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(politeness, "JITTER", 3600)
    monkeypatch.setattr(politeness, "uniform", lambda _, most: most)
    async with queue(polite()) as asked:
        asked.ask(times=3)
        done, _ = await asyncio.wait(asked.tasks, timeout=0.05)
        assert not done
        assert not asked.under_way


async def test_a_host_that_asks_us_to_wait_is_let_alone() -> None:
    turns, until = polite(), datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(Deferred):
        async with turns.turn(HOST, ALLOWANCE):
            raise Deferred("429", until)
    with pytest.raises(Deferred) as caught:
        await take(turns, HOST, ALLOWANCE)
    assert str(caught.value) == f"{HOST} allows no more requests for now"
    assert caught.value.until == until
    await take(turns, OTHER, ALLOWANCE)
    await take(turns, HOST, None)  # counted apart


async def test_those_who_wait_while_the_host_has_enough_are_not_sent() -> None:
    turns = polite(concurrency=1)
    answering = asyncio.Event()

    async def be_refused() -> None:
        async with turns.turn(HOST, None):
            await answering.wait()
            raise Deferred("429")

    tasks = [asyncio.create_task(be_refused()) for _ in range(5)]
    await asyncio.sleep(0)
    answering.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results].count("429") == 1
    assert {type(result) for result in results} == {Deferred}


async def test_the_meter_learns_for_all_who_come_after() -> None:
    turns = polite()
    reset = str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
    async with turns.turn(HOST, None) as meter:
        meter.learn({"ratelimit-limit": "10", "ratelimit-remaining": "2", "ratelimit-reset": reset})
    await take(turns)
    await take(turns)
    with pytest.raises(Deferred):
        await take(turns)
    await take(turns, OTHER)
