"""What only one process may have at a time, such as a component's connection: by turns.

A process has it for some seconds, for as many of its tasks as there are; then it lets go, once
these have ended, and gives the others the time to take it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from random import uniform
from time import monotonic

from models.lock import Locked

LONGEST = 2.0
"""Seconds after which it is another process's turn."""
IDLE = 0.1
"""Seconds without a task after which it is, too."""
_AGAIN = 0.05


class Lease:
    """One process's turns.

    Args:
        lock: gives a context that is held while we have it; raises Locked while others have.
        let_go: called when our turn ends, before others can have theirs.
    """

    def __init__(
        self,
        lock: Callable[[], AbstractAsyncContextManager[None]],
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        self._lock = lock
        self._let_go = let_go
        self._entrance = asyncio.Lock()
        self._turn: AsyncExitStack | None = None
        self._ends = 0.0
        self._tasks = 0
        self._empty = asyncio.Event()
        self._idle: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is ours, and keep it for the length of the block."""
        async with self._entrance:
            if self._turn and monotonic() > self._ends:
                # Who is in may end; who comes after us waits behind us.
                while self._tasks:
                    self._empty.clear()
                    await self._empty.wait()
                await self._end()
                await asyncio.sleep(2 * _AGAIN)
            if not self._turn:
                await self._begin()
            self._tasks += 1
        try:
            yield
        finally:
            self._tasks -= 1
            if not self._tasks:
                self._empty.set()
                self._end_when_idle()

    async def close(self) -> None:
        """Let go for good."""
        if self._idle:
            self._idle.cancel()
            await asyncio.wait([self._idle])
        await self._end()

    async def _begin(self) -> None:
        while self._turn is None:
            stack = AsyncExitStack()
            try:
                await stack.enter_async_context(self._lock())
            except Locked:
                await asyncio.sleep(uniform(0.5, 1) * _AGAIN)  # noqa: S311 (no secret)
            else:
                self._turn, self._ends = stack, monotonic() + LONGEST

    async def _end(self) -> None:
        turn, self._turn = self._turn, None
        if turn:
            try:
                await self._let_go()
            finally:
                await turn.aclose()

    def _end_when_idle(self) -> None:
        async def wait() -> None:
            await asyncio.sleep(IDLE)
            async with self._entrance:
                if not self._tasks:
                    await self._end()

        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.create_task(wait())
