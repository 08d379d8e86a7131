"""Futures of task runs on an event loop: they can be awaited, and never block their own loop."""

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from types import NoneType
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.utilities.annotations import quote
from prefect.utilities.collections import StopVisiting, visit_collection

R = TypeVar("R")


class EventLoopFuture(PrefectConcurrentFuture[R]):
    """A task run on an `EventLoopTaskRunner`'s loop.

    `await future`, on any event loop, gives the task's result or raises its error, as awaiting
    an asyncio task does; but being cancelled while waiting leaves the task run alone. Once the
    run is over, `state` is at hand without asking the API.

    Args:
        task_run_id: the task run's id.
        loop: the event loop that the task run lives on.
    """

    def __init__(self, task_run_id: UUID, loop: asyncio.AbstractEventLoop) -> None:
        outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()
        # From here on its `cancel()` does nothing: only the runner says what became of the run.
        outcome.set_running_or_notify_cancel()
        super().__init__(task_run_id, outcome)
        self._loop = loop

    def complete(self, state: State[Any]) -> None:
        """Record what became of the task run; for the runner, once."""
        state.state_details.task_run_id = self.task_run_id
        # Before anyone is told, so that no waiter asks the API for it.
        self._final_state = state
        outcome: concurrent.futures.Future[Any] = self.wrapped_future
        outcome.set_result(state)

    def fail(self, signal: BaseException) -> None:
        """Pass on one of Prefect's own signals (Pause, Abort), which leave no final state."""
        self.wrapped_future.set_exception(signal)

    async def wait_async(self) -> None:
        """Wait for the task run to be over, whatever became of it: `state` tells."""
        await settle(self)

    def __await__(self) -> Generator[Any, None, R]:
        yield from self.wait_async().__await__()
        return self.result()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the task run is over, or for `timeout` seconds.

        Raises:
            RuntimeError: on the very loop that the task run needs to get there.
        """
        self._refuse_to_block(timeout)
        super().wait(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Block until the task run is over, and give its result.

        Args:
            timeout: seconds to wait at most; None: without end.
            raise_on_failure: raise the task's error; if False, return it.

        Raises:
            TimeoutError: the task run was not over in time.
            RuntimeError: on the very loop that the task run needs to get there.
        """
        self._refuse_to_block(timeout)
        return super().result(timeout, raise_on_failure)

    def _add_prefect_done_callback(self, fn: Callable[[PrefectFuture[R]], None]) -> None:
        # Prefect's `as_completed()` and `wait(timeout=…)` come through here, and then block.
        self._refuse_to_block(timeout=None)
        super()._add_prefect_done_callback(fn)

    def _refuse_to_block(self, timeout: float | None) -> None:
        if timeout == 0 or self.wrapped_future.done() or running_loop() is not self._loop:
            return
        raise RuntimeError(
            "This would block the event loop that the task run itself needs, for ever:"
            " use `await future` for its result, or `await future.wait_async()`."
        )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def settle(future: PrefectFuture[Any]) -> None:
    """Wait for any Prefect future without blocking the event loop, and without raising its error.

    A future that can only be waited for by blocking (a deferred task run, another flow run, Dask,
    Ray) is waited for in a thread of its own, which is left behind if this is cancelled.
    """
    loop, settled = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: object = None) -> None:
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(settled.set)

    def block() -> None:
        # What it raises here it raises again for whoever uses it.
        with suppress(Exception):
            future.wait()
        wake()

    if isinstance(future, PrefectConcurrentFuture):
        future.wrapped_future.add_done_callback(wake)
    else:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(block,), daemon=True).start()
    await settled.wait()


# What most parameters are: nothing can be in them, and Prefect's search is slow to see that.
_PLAIN = frozenset({NoneType, bool, int, float, str})


def futures_in(*expressions: Any) -> set[PrefectFuture[Any]]:  # noqa: ANN401  # task parameters
    """The futures within nested data, found where Prefect's engine will look for them."""
    found: set[PrefectFuture[Any]] = set()

    def visit(value: object, context: dict[str, Any]) -> None:
        if isinstance(context.get("annotation"), quote):
            raise StopVisiting
        if isinstance(value, PrefectFuture):
            found.add(value)

    for expression in expressions:
        if type(expression) in _PLAIN:
            continue
        visit_collection(expression, visit_fn=visit, return_data=False, context={})
    return found
