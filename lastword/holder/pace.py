"""Logins on one server: so many a second, so many at once, and one for all while it is down."""

import asyncio
from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeVar

from aiolimiter import AsyncLimiter

from lastword.errors import Deferred, Gone, Rejected, Transient

T = TypeVar("T")

_FIRST = 0.5
_LONGEST = 10.0


def backoff(failures: int, longest: float) -> float:
    """Return seconds to wait after so many failures in a row, with jitter."""
    doubled: float = _FIRST * 2 ** min(failures, 16)
    return uniform(0.5, 1) * min(longest, doubled)  # noqa: S311 (no secret)


class Pace:
    """That of one server; shared by all sessions on it.

    Args:
        rate: logins a second.
        at_once: logins under way at once.
    """

    def __init__(self, rate: float, at_once: int) -> None:
        self._limiter = AsyncLimiter(1, 1 / rate)
        self._at_once = asyncio.Semaphore(at_once)
        self._trial = asyncio.Lock()
        self._failures = 0

    async def log_in(self, login: Callable[[], Awaitable[T]]) -> T:
        """Wait for our turn, and log in.

        Raises:
            LastWordError: the login's own.
        """
        async with self._at_once:
            if self._failures:
                async with self._trial:
                    if self._failures:
                        await asyncio.sleep(backoff(self._failures, _LONGEST))
                        return await self._watched(login, is_trial=True)
            return await self._watched(login, is_trial=False)

    async def _watched(self, login: Callable[[], Awaitable[T]], *, is_trial: bool) -> T:
        await self._limiter.acquire()
        try:
            result = await login()
        except (Transient, Deferred):
            # Of those under way when the server went down, all fail: that counts once.
            self._failures = self._failures + 1 if is_trial else max(self._failures, 1)
            raise
        except (Rejected, Gone):
            self._failures = 0
            raise
        self._failures = 0
        return result
