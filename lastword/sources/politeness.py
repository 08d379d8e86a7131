"""Politeness towards hosts: few at once, not too fast, and no more than they allow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import uniform
from time import monotonic

from aiolimiter import AsyncLimiter

from lastword.errors import Deferred
from lastword.host_turns import HostTurns, Turns
from lastword.sources.allowance import Allowance, Meter

JITTER = 0.25
"""Seconds at most that the first requests to a host wait: runs everywhere begin on the minute."""


class _Host:
    def __init__(self, place: str, concurrency: int, rate: float, turns: Turns | None) -> None:
        self.slots = asyncio.Semaphore(concurrency)
        self.pace: AsyncLimiter | HostTurns = (
            turns.at(place, lambda: self.waiting)
            if turns
            else AsyncLimiter(max(1, rate), max(1, rate) / rate)
        )
        self.meters: dict[Allowance | None, Meter] = {}
        self.waiting = 0
        self.is_stuck = False
        self._opens = monotonic() + uniform(0, JITTER)  # noqa: S311 (no secret)

    async def opening(self) -> None:
        await asyncio.sleep(self._opens - monotonic())


class Politeness:
    """Made once per run.

    Args:
        concurrency: requests to one host at once.
        rate: requests to one host a second, on average; a second's worth may go at once.
        patience: seconds that one request waits for others to end at most, beside those that our
            own rate makes them wait.
        turns: given out to several processes that keep to one rate together; None: we are alone.
    """

    def __init__(
        self, *, concurrency: int, rate: float, patience: float, turns: Turns | None = None
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._patience = patience
        self._turns = turns
        self._wait = (turns.processes if turns else 1) / rate
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(
        self, place: str, allowance: Allowance | None, check: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Meter]:
        """Wait for a request's turn, and make the request within the block.

        Args:
            place: the host, with its port where that is unusual.
            allowance: what the source assumes that hosts of its kind grant.
            check: called when the turn has come; what it raises gives the turn to the next.

        Yields:
            The meter, which learns from the answer's headers.

        Raises:
            Deferred: the host allows no more for now, or its queue does not move. Where it once
                has not, only as many wait for the rest of the run as may go at once.
        """
        host = self._hosts.get(place) or self._hosts.setdefault(
            place, _Host(place, self._concurrency, self._rate, self._turns)
        )
        meter = host.meters.setdefault(allowance, Meter(place, allowance))
        if host.is_stuck and host.waiting >= self._concurrency:
            # Else each would wait as long anew, in a place of the run that others wait for.
            raise _slow(place)
        host.waiting += 1
        try:
            async with asyncio.timeout(self._patience + host.waiting * self._wait):
                await host.slots.acquire()
        except TimeoutError:
            host.is_stuck = True
            raise _slow(place) from None
        finally:
            host.waiting -= 1
        try:
            check()
            await host.opening()
            meter.take()
            try:
                await host.pace.acquire()
                yield meter
            except Deferred as asked_to_wait:
                meter.close(asked_to_wait.until)
                raise
            finally:
                meter.release()
        finally:
            host.slots.release()


def _slow(place: str) -> Deferred:
    return Deferred(f"{place} is slow: the rest of its accounts wait", is_silent=True)
