"""Tasks, a lifespan and a look at what is left behind, for the tests of EventLoopTaskRunner."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import prefect
import pytest
from prefect import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.exceptions import ObjectNotFound
from prefect.tasks import Task

from flows.event_loop import Lifespan


def task(function: Callable[..., Any]) -> Task[..., Any]:
    """`@task`; mypy takes what an async task's future gives for a coroutine."""
    return prefect.task(function)


service: ContextVar[str] = ContextVar("service", default="none")


@asynccontextmanager
async def open_service() -> AsyncIterator[str]:
    token = service.set("open")
    try:
        yield "ignored"
    finally:
        service.reset(token)


def lifespan_log() -> tuple[list[str], Lifespan]:
    """A lifespan, and what it notes when it is entered and left."""
    log: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        log.append("entered")
        yield
        log.append("left")

    return log, lifespan


@task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


@task
def double_sync(number: int) -> int:
    return number * 2


@task
async def fail(reason: str) -> None:
    raise ValueError(reason)


def stuck(begun: threading.Event) -> Task[[], Any]:
    """A task that tells when it has begun, and then never ends by itself."""

    @task
    async def run_for_ever() -> None:
        begun.set()
        await asyncio.Event().wait()

    return run_for_ever


def recorded(task_run_id: UUID, when: Callable[[TaskRun], bool]) -> TaskRun:
    """Prefect's server writes task runs down in its own time."""
    deadline = time.monotonic() + 30
    with get_client(sync_client=True) as client:
        while True:
            try:
                if when(task_run := client.read_task_run(task_run_id)):
                    return task_run
            except ObjectNotFound:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def runner_log(
    prefect_server: None,  # noqa: ARG001  # every test needs it
    caplog: pytest.LogCaptureFixture,
) -> Iterator[pytest.LogCaptureFixture]:
    """The runner's log; and whatever a test does, no thread and no task is left behind."""
    yield caplog
    left = [t.name for t in threading.enumerate() if t.name.startswith("EventLoopTaskRunner")]
    assert not left
    assert not [record for record in caplog.records if record.name == "asyncio"]
