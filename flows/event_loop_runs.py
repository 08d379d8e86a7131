"""The task runs on one event loop, from waiting for a slot to their end. All on that loop."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from logging import Logger
from typing import Any

from anyio import CancelScope
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectSignal
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, exception_to_crashed_state

from flows.event_loop_future import EventLoopFuture, settle


@dataclass(eq=False, slots=True)
class Run:
    """One submitted task run."""

    future: EventLoopFuture[Any]
    work: Callable[[], Awaitable[State[Any]]]
    """Performs it; the state that it ends in."""
    upstream: set[PrefectFuture[Any]]
    """What must be over first."""
    level: int
    """How deep in task runs within task runs; 0: submitted by the flow."""
    begun: bool = False


def drop(future: EventLoopFuture[Any]) -> None:
    """Complete the future of a task run that never began: Prefect's API has not heard of it."""
    future.complete(Cancelled(message="The task runner stopped before this task run began."))


class EventLoopRuns:
    """What is running and waiting on the loop.

    Args:
        max_concurrency: how many may run at once, at each level of nesting. Every level has slots
            of its own, so that a task run which waits for its children, in whatever way, never
            holds the slot that they need.
        logger: the runner's.
    """

    def __init__(self, max_concurrency: int, logger: Logger) -> None:
        self._logger = logger
        self._slots = defaultdict[int, asyncio.Semaphore](
            lambda: asyncio.Semaphore(max_concurrency)
        )
        self._tasks: dict[asyncio.Task[State[Any]], Run] = {}
        self._stopping = asyncio.Event()
        self._cancelled = self._over = False

    def add(self, run: Run, context: Context) -> None:
        """Have a run performed in its context as soon as it may be."""
        if self._refuses(run):
            drop(run.future)
            return
        task = asyncio.get_running_loop().create_task(self._perform(run), context=context)
        self._tasks[task] = run
        task.add_done_callback(self._finish)

    def stop(self, *, cancel: bool) -> None:
        """Refuse new runs and drop those that have not begun.

        Args:
            cancel: cancel those that have begun, too. Otherwise they go on, and may still submit
                task runs of their own.
        """
        self._stopping.set()
        if self._cancelled:
            return
        self._cancelled = cancel
        ending = [task for task, run in self._tasks.items() if cancel or self._refuses(run)]
        for task in ending:
            task.cancel()
        if ending and not cancel:
            self._logger.warning(
                "%d task runs had not begun when the flow ended, and never will:"
                " wait for their futures in the flow.",
                len(ending),
            )

    async def serve(self) -> None:
        """Wait to be stopped, and then until no run is left; cancelled, cancel them all."""
        try:
            await self._stopping.wait()
        except asyncio.CancelledError:  # the lifespan broke, say a task group within it
            self.stop(cancel=True)
            raise
        finally:
            with CancelScope(shield=True):
                await self._drain()

    async def _drain(self) -> None:
        while self._tasks:
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError:
                self.stop(cancel=True)
        self._over = True

    def _refuses(self, run: Run) -> bool:
        if self._cancelled or self._over:
            return True
        return self._stopping.is_set() and run.level == 0 and not run.begun

    async def _perform(self, run: Run) -> State[Any]:
        for future in run.upstream:
            await settle(future)
        async with self._slots[run.level]:
            run.begun = True
            try:
                return await run.work()
            except PrefectSignal:
                raise
            except BaseException as error:  # noqa: BLE001  # one run must not end the loop
                state = await exception_to_crashed_state(error)
                if not isinstance(error, Exception):
                    # Raised to whoever waits, an exit or a cancellation would pass for their own:
                    # they get a CrashedRun. (It would also end the thread in which Prefect
                    # resolves results.)
                    state.data = None
                return state

    def _finish(self, task: asyncio.Task[State[Any]]) -> None:
        run = self._tasks.pop(task)
        if task.cancelled():
            drop(run.future)
        elif signal := task.exception():
            run.future.fail(signal)
        else:
            run.future.complete(task.result())
