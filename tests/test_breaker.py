"""The circuit breaker: who is down is told from who answers, and holds up nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lastword.breaker import FAILURES, TRIALS, Breaker
from lastword.errors import Deferred, Gone, LastWordError, Rejected, Systemic, Transient
from lastword.network import HOSTS, Network

HOST, OTHER = "social.example", "blog.example"
DOWN = f"{HOST} is down ({FAILURES} failures in a row): asked again in the next run"


async def talk(breaker: Breaker, end: Exception | None = None, host: str = HOST) -> None:
    async with breaker.watching(host):
        if end:
            raise end


async def fail(breaker: Breaker, times: int, host: str = HOST) -> None:
    for _ in range(times):
        with pytest.raises(Transient):
            await talk(breaker, Transient("502"), host)


async def assert_down(breaker: Breaker) -> None:
    with pytest.raises(Deferred) as caught:
        await talk(breaker, AssertionError("it was asked"))
    assert str(caught.value) == DOWN
    assert caught.value.until is None


class Crowd:
    """Many who talk to one host at once, each until told how it ends."""

    def __init__(self, breaker: Breaker, size: int) -> None:
        self._breaker = breaker
        self.talking: list[asyncio.Future[None]] = []
        self.tasks = [asyncio.create_task(self._talk()) for _ in range(size)]

    async def _talk(self) -> None:
        async with self._breaker.watching(HOST):
            ends = asyncio.get_running_loop().create_future()
            self.talking.append(ends)
            await ends

    async def ended(self) -> list[str]:
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        return [type(result).__name__ for result in results]


@asynccontextmanager
async def crowd(breaker: Breaker, size: int) -> AsyncIterator[Crowd]:
    many = Crowd(breaker, size)
    await settled()
    yield many
    for task in many.tasks:
        task.cancel()
    await many.ended()


async def settled() -> None:
    """Let every task go on until it waits for something that only the test can do."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_down_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker()
    await fail(breaker, FAILURES - 1)
    with pytest.raises(Deferred) as caught:
        await talk(breaker, Transient("502"))
    assert str(caught.value) == DOWN, "the last one is not worth a retry either"
    assert isinstance(caught.value.__cause__, Transient)
    for _ in range(TRIALS + 1):
        await assert_down(breaker)


@pytest.mark.parametrize("answer", [None, Rejected("401"), Gone("410")], ids=repr)
async def test_any_answer_ends_a_row_of_failures(answer: LastWordError | None) -> None:
    breaker = Breaker()
    await fail(breaker, FAILURES - 1)
    if answer is None:
        await talk(breaker)
    else:
        with pytest.raises(type(answer)):
            await talk(breaker, answer)
    await fail(breaker, FAILURES - 1)
    with pytest.raises(Deferred):
        await talk(breaker, Transient("502"))


@pytest.mark.parametrize("end", [Deferred("slow"), ValueError("a bug of ours")], ids=repr)
async def test_what_says_nothing_of_the_host_ends_no_row(end: Exception) -> None:
    breaker = Breaker()
    await fail(breaker, FAILURES - 1)
    with pytest.raises(type(end)):
        await talk(breaker, end)
    with pytest.raises(Deferred, match="is down"):
        await talk(breaker, Transient("502"))


async def test_hosts_are_judged_apart() -> None:
    breaker = Breaker()
    await fail(breaker, FAILURES - 1)
    with pytest.raises(Deferred):
        await talk(breaker, Transient("502"))
    await fail(breaker, FAILURES - 1, OTHER)
    await talk(breaker, host=OTHER)
    await assert_down(breaker)


async def test_errors_leave_with_the_name_of_the_host() -> None:
    breaker = Breaker()
    for error in (Transient("502"), Gone("404"), Rejected("401"), Deferred("429")):
        with pytest.raises(LastWordError) as caught:
            await talk(breaker, error, OTHER)
        assert caught.value.host == OTHER


async def test_runs_are_judged_apart() -> None:
    """Each run makes its own breaker: the next one asks again."""
    await fail(Breaker(), FAILURES - 1)
    await fail(Breaker(), FAILURES - 1)


async def test_few_find_out_whether_a_host_answers() -> None:
    async with crowd(Breaker(), 3 * TRIALS) as many:
        assert len(many.talking) == TRIALS
        for ends in many.talking[:FAILURES]:
            ends.set_exception(Transient("timeout"))
        await settled()
        assert len(many.talking) == TRIALS, "nobody else was let in"
        for ends in many.talking[FAILURES:]:
            ends.set_exception(Transient("timeout"))
        kinds = await many.ended()
    assert kinds == ["Deferred"] * 3 * TRIALS, "and nobody tries again"


async def test_who_fails_first_waits_for_what_the_others_find() -> None:
    """A retry of its own, or a trial let in meanwhile, would cost the run another deadline."""
    async with crowd(Breaker(), 2 * TRIALS) as many:
        for ends in many.talking[: FAILURES - 1]:
            ends.set_exception(Transient("timeout"))
            await settled()
        assert not any(task.done() for task in many.tasks)
        assert len(many.talking) == TRIALS, "nobody else was let in"
        many.talking[-1].set_exception(Transient("timeout"))
        await settled()
        ended = [task for task in many.tasks if task.done()]
        assert len(ended) == 2 * TRIALS - (TRIALS - FAILURES), "though not all have been heard"
        assert all(isinstance(task.exception(), Deferred) for task in ended)


async def test_a_queue_that_does_not_move_is_no_answer() -> None:
    """Where fewer are let in at once than may try, most of these only wait for the others."""
    async with crowd(Breaker(), 3 * TRIALS) as many:
        for ends in many.talking[-FAILURES:]:
            ends.set_exception(Deferred("slow", is_silent=True))
        await settled()
        assert len(many.talking) == TRIALS, "nobody else was let in"
        for ends in many.talking[:-FAILURES]:
            ends.set_exception(Transient("timeout"))
        assert await many.ended() == ["Deferred"] * 3 * TRIALS, "and nobody tries again"


async def test_a_queue_that_does_not_move_is_no_failure_of_a_host_that_has_answered() -> None:
    breaker = Breaker()
    await talk(breaker)
    for _ in range(FAILURES):
        with pytest.raises(Deferred, match="slow"):
            await talk(breaker, Deferred("slow", is_silent=True))
    await talk(breaker)


@pytest.mark.parametrize("answer", [None, Gone("410")], ids=repr)
async def test_who_fails_first_is_told_when_another_is_answered(
    answer: LastWordError | None,
) -> None:
    async with crowd(Breaker(), TRIALS) as many:
        many.talking[0].set_exception(Transient("timeout"))
        await settled()
        if answer is None:
            many.talking[1].set_result(None)
        else:
            many.talking[1].set_exception(answer)
        await settled()
        assert isinstance(many.tasks[0].exception(), Transient)


async def test_few_failures_are_no_verdict() -> None:
    async with crowd(Breaker(), FAILURES - 1) as many:
        for ends in many.talking:
            ends.set_exception(Transient("timeout"))
        assert await many.ended() == ["Transient"] * (FAILURES - 1)


async def test_a_host_may_go_down_while_one_waits_for_a_turn() -> None:
    breaker = Breaker()
    await talk(breaker)
    async with breaker.watching(HOST):
        breaker.check(HOST)
        await fail(breaker, FAILURES - 1)
        with pytest.raises(Deferred):
            await talk(breaker, Transient("502"))
        with pytest.raises(Deferred, match="is down"):
            breaker.check(HOST)


async def test_a_silent_host_holds_up_nobody_elses() -> None:
    breaker = Breaker()
    async with crowd(breaker, 3 * TRIALS), asyncio.timeout(30):
        await talk(breaker, host=OTHER)


@pytest.mark.parametrize("answer", [None, Gone("410"), Deferred("429")], ids=repr)
async def test_the_first_answer_lets_all_in_who_wait(answer: LastWordError | None) -> None:
    async with crowd(Breaker(), 3 * TRIALS) as many:
        if answer is None:
            many.talking[0].set_result(None)
        else:
            many.talking[0].set_exception(answer)
        await settled()
        assert len(many.talking) == 3 * TRIALS


async def test_an_answer_lets_in_all_who_come_later() -> None:
    breaker = Breaker()
    await talk(breaker)
    async with crowd(breaker, 3 * TRIALS) as many:
        assert len(many.talking) == 3 * TRIALS


async def test_who_is_cancelled_makes_room_and_counts_for_nothing() -> None:
    breaker = Breaker()
    async with crowd(breaker, TRIALS + 3) as many:
        # One who waits, and more than it takes to be down of those who talk.
        for task in (many.tasks[TRIALS], *many.tasks[: FAILURES + 1]):
            task.cancel()
        await settled()
        assert len(many.talking) == TRIALS + 2
        for ends in many.talking[FAILURES + 1 :]:
            ends.set_result(None)
        kinds = await many.ended()
    assert kinds.count("CancelledError") == FAILURES + 2
    assert kinds.count("NoneType") == TRIALS + 3 - (FAILURES + 2)


async def test_who_is_cancelled_among_the_waiting_takes_nobodys_place() -> None:
    """Let in and cancelled at the same moment: the place goes on to the next."""
    async with crowd(Breaker(), TRIALS + 2) as many:
        many.talking[0].set_exception(ValueError("a bug of ours"))
        asyncio.get_running_loop().call_soon(many.tasks[TRIALS].cancel)
        await settled()
        assert len(many.talking) == TRIALS + 1


async def fail_elsewhere(breaker: Breaker, hosts: int = HOSTS - 1) -> None:
    for number in range(hosts):
        await fail(breaker, 1, f"{number}.example")


async def test_where_no_host_answers_it_is_the_network() -> None:
    breaker = Breaker(Network(patience=0))
    await fail(breaker, 1)
    await fail(breaker, 1)  # one host is one host, however often it fails
    await fail_elsewhere(breaker, HOSTS - 2)
    for host in (OTHER, HOST):
        with pytest.raises(Systemic, match="hosts answers: check this machine's network") as caught:
            await talk(breaker, Transient("timeout"), host)
        assert caught.value.kind is None, "the whole run is stopped"


@pytest.mark.parametrize("answer", [None, Gone("404"), Rejected("401"), Deferred("429")], ids=repr)
async def test_one_answer_and_the_network_is_there(answer: LastWordError | None) -> None:
    breaker = Breaker(Network(patience=0))
    await fail_elsewhere(breaker)
    if answer is None:
        await talk(breaker)
    else:
        with pytest.raises(type(answer)):
            await talk(breaker, answer)
    await fail(breaker, 1, OTHER)
    await fail_elsewhere(breaker)


async def test_what_no_host_has_said_is_no_answer() -> None:
    breaker = Breaker(Network(patience=0))
    await fail_elsewhere(breaker)
    with pytest.raises(Deferred, match="slow"):
        await talk(breaker, Deferred("slow", is_silent=True))
    with pytest.raises(Systemic):
        await talk(breaker, Transient("timeout"), OTHER)


@pytest.mark.parametrize("network", [Network(patience=3600), None], ids=["at-first", "xmpp"])
async def test_hosts_that_are_gone_are_heard_of_first(network: Network | None) -> None:
    """They refuse at once, before any other had the time to answer."""
    breaker = Breaker(network)
    await fail_elsewhere(breaker, 2 * HOSTS)
