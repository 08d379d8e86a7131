"""Whose login is next: only so many are under way at once, and no server takes the turns of all."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

PROMPT = 5.0
"""Seconds: a server whose latest login took less is quick enough to be given every place."""
_KEPT = 8
"""Of so many places one, and at least one, is kept for the others."""


class LoginTurns:
    """Those of all servers; lives on one event loop.

    A place that becomes free goes to the server with the fewest logins under way. A server whose
    latest login took long, or that had none yet, leaves a few places to the others: it would else
    hold all of them, for as long as it takes.

    Args:
        most: so many logins at once, over all servers.
    """

    def __init__(self, most: int) -> None:
        self._free = self._most = most
        self._most_unproven = max(1, most - max(1, most // _KEPT))
        self._prompt: set[str] = set()
        self._under_way: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def at(self, domain: str) -> AsyncIterator[None]:
        """Wait for a login's turn, and log in within the block.

        Args:
            domain: the server.
        """
        await self._enter(domain)
        began = monotonic()
        try:
            yield
        finally:
            is_prompt = monotonic() - began < PROMPT
            (self._prompt.add if is_prompt else self._prompt.discard)(domain)
            self._leave(domain)

    def _may(self, domain: str) -> bool:
        most = self._most if domain in self._prompt else self._most_unproven
        return self._free > 0 and self._under_way[domain] < most

    async def _enter(self, domain: str) -> None:
        if self._may(domain):  # then nobody waits at the same server
            self._take(domain)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(domain, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn had come at the same moment
                self._leave(domain)
            raise

    def _take(self, domain: str) -> None:
        self._free -= 1
        self._under_way[domain] += 1

    def _leave(self, domain: str) -> None:
        self._free += 1
        self._under_way[domain] -= 1
        while (following := self._next()) is not None:
            self._take(following)

    def _next(self) -> str | None:
        """Give the next turn, and return whose it is; None where nobody may have one."""
        while may := [domain for domain in self._waiting if self._may(domain)]:
            domain = min(may, key=self._under_way.__getitem__)
            queue = self._waiting.pop(domain)
            turn = queue.popleft()
            if queue:  # behind the others who have as many
                self._waiting[domain] = queue
            if not turn.done():  # who was cancelled waits no more
                turn.set_result(None)
                return domain
        return None
