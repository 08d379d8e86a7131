"""How long hosts take: by it a run tells which ones it waited for."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any


@dataclass(slots=True)
class HostPace:
    """One host's pace in a run.

    Attributes:
        host: its name; a chat server's with what was done there.
        visits: how often we were there.
        seconds: how long in all, without the waiting for our turn.
        longest: the longest visit, in seconds.
    """

    host: str
    visits: int = 0
    seconds: float = 0.0
    longest: float = 0.0


class Pace:
    """Made once per run for all visits of one way, HTTP or XMPP."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostPace] = {}

    @contextmanager
    def timing(self, host: str) -> Iterator[None]:
        """Count the block as a visit, however it ends: what times out takes the longest."""
        began = monotonic()
        try:
            yield
        finally:
            took, known = monotonic() - began, self._hosts.setdefault(host, HostPace(host))
            known.visits += 1
            known.seconds += took
            known.longest = max(known.longest, took)

    @asynccontextmanager
    async def timing_within(
        self, host: str, limit: AbstractAsyncContextManager[Any]
    ) -> AsyncIterator[None]:
        """Count the block as a visit from when the limit lets us in."""
        async with limit:
            with self.timing(host):
                yield

    def hosts(self) -> list[HostPace]:
        """Return all hosts that were visited."""
        return list(self._hosts.values())


def together(hosts: Iterable[HostPace]) -> list[HostPace]:
    """Return each host once, with the visits of all."""
    found: dict[str, HostPace] = {}
    for one in hosts:
        known = found.setdefault(one.host, HostPace(one.host))
        known.visits += one.visits
        known.seconds += one.seconds
        known.longest = max(known.longest, one.longest)
    return list(found.values())


def slowest(hosts: list[HostPace], number: int) -> list[HostPace]:
    """Return so many hosts at most whose longest visits were the longest, the slowest first."""
    return sorted(hosts, key=lambda it: (-it.longest, it.host))[:number]
