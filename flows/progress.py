"""How far a run is: an artifact in Prefect's UI, and a listener in the process that runs it."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from time import monotonic
from types import TracebackType
from typing import Self, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

EVERY = 1.0
"""Seconds between two updates of the artifact: each is a call to Prefect's API."""
PATIENCE = 10.0
"""Seconds that a run waits, at its end, for Prefect to take the last one."""

Listener = Callable[[int, Mapping[str, int]], None]
"""Called with the number of accounts and the finished ones by outcome."""

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand the progress of flows that run in this context to a listener, too."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Progress:
    """The progress of one run over `total` accounts; a context manager.

    Prefect is told in a thread of its own: it answers late when it has much to record, and nobody
    waits for that but the end of the block.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._told = 0
        self._artifact: UUID | None = None
        self._told_at = 0.0
        self._teller = ThreadPoolExecutor(1, "progress")
        self._telling: Future[None] | None = None

    def __enter__(self) -> Self:
        if self._total:
            self._tell()
        return self

    def advance(self, seen: Mapping[str, int]) -> None:
        """Note which accounts are done.

        Args:
            seen: the finished accounts by outcome.
        """
        self._done = sum(seen.values())
        if listener := _listener.get():
            listener(self._total, seen)
        if self._done == self._total or (
            monotonic() - self._told_at >= EVERY and self._telling and self._telling.done()
        ):
            self._tell()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._told != self._done:
            self._tell()
        if kind is None and self._telling:
            wait([self._telling], PATIENCE)
        self._teller.shutdown(wait=False, cancel_futures=True)

    def _tell(self) -> None:
        self._told, self._told_at = self._done, monotonic()
        share = 100 * self._done / self._total
        self._telling = self._teller.submit(copy_context().run, self._update, share)

    def _update(self, share: float) -> None:
        """Make the artifact, or move it."""
        try:
            if self._artifact:
                update_progress_artifact(self._artifact, progress=share)
                return
            found = create_progress_artifact(
                share, key="sync-progress", description="Accounts done"
            )
            # The function is also a coroutine function; in a sync context it returns the id.
            self._artifact = cast("UUID", found)
        except Exception:  # noqa: BLE001 (Prefect is the view: its trouble must not cost the run)
            get_run_logger().warning("Prefect's API took no news of the progress")
