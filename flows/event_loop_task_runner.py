"""A Prefect task runner for thousands of short async tasks that share connections.

Prefect's own thread runner gives every async task a thread, an event loop and an API client of
its own: nothing can be shared, and a thousand tasks cost a minute of CPU and a gigabyte.
What this one promises stands in docs/event-loop-task-runner.md.
"""

import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast, overload

from prefect._internal.uuid7 import uuid7
from prefect.client.schemas.objects import FlowRun, RunInput, State
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from prefect.futures import PrefectFuture, PrefectFutureList
from prefect.task_engine import run_task_async, run_task_sync
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

from flows.event_loop import EventLoop, Lifespan, place
from flows.event_loop_future import EventLoopFuture, futures_in

P = ParamSpec("P")
R = TypeVar("R")


class EventLoopTaskRunner(TaskRunner[Any]):
    """Runs all task runs of a flow run on one long-lived event loop.

    Args:
        max_concurrency: how many task runs may be under way at once; task runs submitted from
            within task runs have as many slots of their own.
        lifespan: gives an async context manager that is entered on the loop before the first task
            run and left after the last. Every task run sees the context variables that it set.
    """

    def __init__(self, max_concurrency: int, lifespan: Lifespan | None = None) -> None:
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be 1 or more, not {max_concurrency}")
        super().__init__()  # type: ignore[no-untyped-call]  # Prefect's has no types
        self.max_concurrency = max_concurrency
        self.lifespan = lifespan
        self._starting = threading.RLock()
        self._loop: EventLoop | None = None
        self._flow_run: FlowRun | None = None
        self._cancelled = False

    def duplicate(self) -> Self:
        return type(self)(self.max_concurrency, self.lifespan)

    def __reduce__(self) -> tuple[type[Self], tuple[int, Lifespan | None]]:
        # Flows are pickled for subprocesses; there the runner starts afresh.
        return type(self), (self.max_concurrency, self.lifespan)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventLoopTaskRunner):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    # Prefect names the type of its coroutines CoroutineType; mypy takes that for no supertype's.
    @overload  # type: ignore[override]
    def submit(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> EventLoopFuture[R]: ...

    @overload
    def submit(
        self,
        task: Task[Any, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> EventLoopFuture[R]: ...

    def submit(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> EventLoopFuture[Any]:
        """Have a task run performed on the loop; the first one enters the lifespan.

        Args:
            task: the task to run.
            parameters: its arguments by name; futures among them are awaited first.
            wait_for: futures to await first.
            dependencies: inputs already known, for Prefect's record.

        Returns:
            A future that can also be awaited.

        Raises:
            RuntimeError: the runner is not started, or has stopped.
            Exception: what the lifespan raised on being entered.
        """
        loop = self._running_loop()
        wait_for = list(wait_for) if wait_for is not None else None
        task_run_id = uuid7()
        call: dict[str, Any] = {
            "task": task,
            "task_run_id": task_run_id,
            "parameters": parameters,
            "wait_for": wait_for,
            "return_type": "state",
            "dependencies": dependencies,
        }
        work: Callable[[], Awaitable[Any]] = (
            partial(_run_on_loop, call)
            if task.isasync
            else partial(loop.in_thread, partial(_run_in_thread, call))
        )
        return loop.submit(task_run_id, work, futures_in(wait_for, *parameters.values()))

    @overload
    def map(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[R]: ...

    @overload
    def map(
        self,
        task: Task[Any, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[R]: ...

    def map(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[Any]:
        """Submit a task once for each element of its iterable parameters."""
        return super().map(task, parameters, wait_for)

    def cancel_all(self) -> None:
        """Cancel what runs, drop what waits, leave the lifespan; wait until that is done."""
        with self._starting:
            self._cancelled = True
            loop = self._loop
        if loop:
            loop.stop(cancel=True)

    def __enter__(self) -> Self:
        super().__enter__()
        self._cancelled = False
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let finish what runs if all is well, else cancel it; then leave the lifespan.

        Raises:
            Exception: what the lifespan raised, if nothing else went wrong.
        """
        failed = self._has_failed(exc_value)
        loop = self._loop
        try:
            if loop:
                loop.stop(cancel=failed)
        finally:
            self._loop = self._flow_run = None
            super().__exit__(exc_type, exc_value, traceback)
        if loop and loop.error:
            if not failed:
                raise loop.error
            self.logger.error("The lifespan failed, too:", exc_info=loop.error)

    def _has_failed(self, error: BaseException | None) -> bool:
        if error:
            return not isinstance(error, Pause)
        # Prefect's flow engine deals with a flow's exception before it leaves the task runner.
        state = self._flow_run.state if self._flow_run else None
        return state is not None and not state.is_completed()

    def _running_loop(self) -> EventLoop:
        if not self._started or self._cancelled:
            raise RuntimeError("Task runner is not started")
        if self._loop:
            return self._loop
        if (here := place.get()) and here.owner is self:
            raise RuntimeError("A lifespan cannot submit task runs before it has been entered.")
        with self._starting:
            if not self._loop:
                loop = EventLoop(self, self.max_concurrency, self.lifespan, self.logger)
                # Not in __enter__: what a lifespan raises there, Prefect takes for no failure of
                # the flow run, which then stays Running in its API.
                loop.start()
                self._loop = loop
                context = FlowRunContext.get()
                if context and context.task_runner is self:
                    self._flow_run = context.flow_run
            return self._loop


async def _run_on_loop(call: dict[str, Any]) -> State[Any]:
    # The engine would make it in the same way, but tell Prefect's server that it is Pending, which
    # it is for no longer than that takes: a third of all that the server hears of a task run.
    task_run = await call["task"].create_local_run(
        id=call["task_run_id"],
        parameters=call["parameters"],
        wait_for=call["wait_for"],
        extra_task_inputs=call["dependencies"],
    )
    return cast("State[Any]", await run_task_async(**call, task_run=task_run))


def _run_in_thread(call: dict[str, Any], cancel: threading.Event) -> State[Any]:
    return cast("State[Any]", run_task_sync(**call, context={"cancel_event": cancel}))
