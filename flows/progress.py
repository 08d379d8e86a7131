"""How far a run is: an artifact in Prefect's UI, and a listener in the process that runs it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from types import TracebackType
from typing import Self, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

EVERY = 1.0
"""Seconds between two updates of the artifact: each is a call to Prefect's API."""

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
    """The progress of one run over `total` accounts; a context manager."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._artifact: UUID | None = None
        self._told_at = 0.0

    def __enter__(self) -> Self:
        if self._total:
            self._artifact = _begin()
        self._told_at = monotonic()
        return self

    def advance(self, seen: Mapping[str, int]) -> None:
        """Note which accounts are done.

        Args:
            seen: the finished accounts by outcome.
        """
        self._done = sum(seen.values())
        if listener := _listener.get():
            listener(self._total, seen)
        if monotonic() - self._told_at >= EVERY:
            self._tell()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._tell()

    def _tell(self) -> None:
        if self._artifact is None:
            return
        self._told_at = monotonic()
        try:
            update_progress_artifact(self._artifact, progress=100 * self._done / self._total)
        except Exception:  # noqa: BLE001 (Prefect is the view: its trouble must not cost the run)
            get_run_logger().warning("Prefect's API took no news of the progress")


def _begin() -> UUID | None:
    try:
        found = create_progress_artifact(0.0, key="sync-progress", description="Accounts done")
    except Exception:  # noqa: BLE001 (as above)
        get_run_logger().warning("Prefect's API took no progress artifact")
        return None
    # The function is also a coroutine function; in a sync flow it returns the id.
    return cast("UUID", found)
