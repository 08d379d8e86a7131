"""An event loop that task runs are submitted to from any thread, and the lifespan around them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from logging import Logger
from sys import maxsize
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.context import AsyncClientContext
from prefect.futures import PrefectFuture

from flows.event_loop_future import EventLoopFuture
from flows.event_loop_runs import EventLoopRuns, Run, drop
from flows.event_loop_thread import EventLoopThread

R = TypeVar("R")
Lifespan = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where code runs: within whose loop, and the level of the task runs submitted from there."""

    owner: object
    level: int


place: ContextVar[Place | None] = ContextVar("event_loop_place", default=None)


class EventLoop:
    """One event loop in a thread of its own, with one lifespan and one API client.

    Args:
        owner: the runner, by which nested submissions know each other.
        max_concurrency: how many task runs may be under way at each level of nesting.
        lifespan: entered before the first task run and left after the last.
        logger: the runner's.
    """

    def __init__(
        self, owner: object, max_concurrency: int, lifespan: Lifespan | None, logger: Logger
    ) -> None:
        self._owner = owner
        self._lifespan = lifespan
        self._shared: dict[ContextVar[Any], Any] = {}
        self._unfinished: set[EventLoopFuture[Any]] = set()
        # As wide as Prefect's own thread pool: the slots are the limit.
        self._threads = ThreadPoolExecutor(maxsize, thread_name_prefix="EventLoopTaskRunner-sync")
        self._runs = EventLoopRuns(max_concurrency, logger)
        self._thread = EventLoopThread(self._live, self._sweep, logger)

    @property
    def error(self) -> BaseException | None:
        """What the lifespan raised, once it is over."""
        return self._thread.error

    def start(self) -> None:
        """Enter the lifespan, in a copy of the caller's context.

        Raises:
            BaseException: what the lifespan raised; nothing is left running then.
        """
        context = copy_context()
        context.run(place.set, Place(self._owner, 0))
        self._thread.start(context)

    def submit(
        self,
        task_run_id: UUID,
        work: Callable[[], Awaitable[State[R]]],
        upstream: set[PrefectFuture[Any]],
    ) -> EventLoopFuture[R]:
        """Have a task run performed, in a copy of the caller's context; from any thread.

        Args:
            task_run_id: the task run's id.
            work: performs it.
            upstream: what must be over first.

        Raises:
            RuntimeError: the loop has ended.
        """
        here = place.get()
        level = here.level if here and here.owner is self._owner else 0
        context = copy_context()
        context.run(self._arrive, level)
        future = EventLoopFuture[R](task_run_id, self._thread.loop)
        self._unfinished.add(future)
        future.wrapped_future.add_done_callback(lambda _: self._unfinished.discard(future))
        if not self._thread.post(self._runs.add, Run(future, work, upstream, level), context):
            raise RuntimeError("The task runner's event loop has ended.") from self.error
        return future

    def stop(self, *, cancel: bool) -> None:
        """End the task runs, leave the lifespan, and wait until the thread has ended.

        Args:
            cancel: cancel the task runs that have begun, too; otherwise wait for them.
        """
        try:
            self._thread.post(lambda: self._runs.stop(cancel=cancel))
            self._thread.join()
        except BaseException:
            # A signal, while task runs took their time to finish.
            if not cancel:
                self.stop(cancel=True)
            raise

    async def in_thread(self, work: Callable[[threading.Event], State[R]]) -> State[R]:
        """Perform a sync task run, given the event that tells it to stop. On the loop."""
        cancel = threading.Event()
        thread = asyncio.get_running_loop().run_in_executor(
            self._threads, copy_context().run, work, cancel
        )
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            cancel.set()  # seen before the next attempt; a thread cannot be interrupted
            return await thread

    def _arrive(self, level: int) -> None:
        if level == 0:  # further down they are inherited, and may have been set anew
            for variable, value in self._shared.items():
                variable.set(value)
        place.set(Place(self._owner, level + 1))

    async def _live(self, ready: Callable[[], None]) -> None:
        outside = copy_context()
        async with AsyncExitStack() as stack:
            stack.callback(self._threads.shutdown)
            await stack.enter_async_context(AsyncClientContext())
            if self._lifespan:
                await stack.enter_async_context(self._lifespan())
            self._shared = {
                variable: value
                for variable, value in copy_context().items()
                if variable not in outside or outside[variable] is not value
            }
            ready()
            await self._runs.serve()

    def _sweep(self) -> None:
        # Submitted while the loop was closing: seen by nobody.
        for future in list(self._unfinished):
            drop(future)
