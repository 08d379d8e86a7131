"""The lifespan around the task runs on one event loop, and the errors in it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from prefect import flow, get_client
from prefect.exceptions import CrashedRun
from prefect.futures import wait

from flows.event_loop_task_runner import EventLoopTaskRunner
from tests.fixtures_event_loop import (
    double,
    fail,
    lifespan_log,
    open_service,
    service,
    stuck,
    task,
)

pytestmark = [pytest.mark.usefixtures("runner_log"), pytest.mark.xdist_group("prefect")]


def test_the_lifespan_is_entered_and_left_in_one_task_around_all_task_runs() -> None:
    seen: list[tuple[str, asyncio.Task[Any] | None]] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        seen.append(("entered", asyncio.current_task()))
        async with anyio.create_task_group():  # must be left in the task that entered it
            yield
        seen.append(("left", asyncio.current_task()))

    @task
    async def look() -> None:
        seen.append(("ran", None))

    with EventLoopTaskRunner(1, lifespan) as runner:
        assert not seen
        wait([runner.submit(look, {}), runner.submit(look, {})])
    assert [what for what, _ in seen] == ["entered", "ran", "ran", "left"]
    assert seen[0][1] is seen[-1][1] is not None


def test_the_lifespan_is_not_entered_for_nothing() -> None:
    log, lifespan = lifespan_log()

    @flow(task_runner=EventLoopTaskRunner(1, lifespan))
    def run() -> str:
        return "nothing due"

    assert run() == "nothing due"
    assert not log


def test_task_runs_see_what_the_lifespan_set_and_keep_their_own_changes() -> None:
    @task
    async def look() -> str:
        return service.get()

    @task
    def look_from_a_thread() -> str:
        return service.get()

    @flow(task_runner=EventLoopTaskRunner(1, open_service))
    def run() -> list[str]:
        @task
        async def change() -> str:
            service.set("changed")
            child: Any = look.submit()
            return str(await child)

        futures = [change.submit(), look.submit(), look_from_a_thread.submit()]
        return [future.result() for future in futures]

    assert run() == ["changed", "open", "open"]
    assert service.get() == "none"


def test_an_error_on_entering_the_lifespan_fails_the_flow(tmp_path: Path) -> None:
    missing = tmp_path / "services"

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        await asyncio.to_thread(missing.open)
        yield

    @flow(task_runner=EventLoopTaskRunner(1, lifespan))
    def run() -> None:
        double.submit(1)

    state = run(return_state=True)
    with pytest.raises(FileNotFoundError, match="services"):
        state.result()
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id
        flow_run = client.read_flow_run(state.state_details.flow_run_id)
    assert flow_run.state
    assert flow_run.state.is_failed()


@asynccontextmanager
async def cannot_be_left() -> AsyncIterator[None]:
    yield
    raise LookupError("cannot close")


def test_an_error_on_leaving_the_lifespan_is_raised() -> None:
    @flow(task_runner=EventLoopTaskRunner(1, cannot_be_left))
    def run() -> int:
        return int(double.submit(1).result())

    with pytest.raises(LookupError, match="cannot close"):
        run()


def test_a_runner_of_ones_own_within_a_flow_looks_at_its_own_end() -> None:
    @flow
    def run() -> None:
        with EventLoopTaskRunner(1, cannot_be_left) as runner:
            runner.submit(double, {"number": 1}).wait()

    with pytest.raises(LookupError, match="cannot close"):
        run()


def test_an_error_on_leaving_the_lifespan_hides_no_other(
    runner_log: pytest.LogCaptureFixture,
) -> None:
    @flow(task_runner=EventLoopTaskRunner(1, cannot_be_left))
    def run() -> None:
        fail.submit("first").result()

    with pytest.raises(ValueError, match="first"):
        run()
    with (
        pytest.raises(ValueError, match="second"),
        EventLoopTaskRunner(1, cannot_be_left) as runner,
    ):
        runner.submit(fail, {"reason": "second"}).result()
    assert runner_log.text.count("The lifespan failed, too") == 2


def test_a_lifespan_that_breaks_ends_the_task_runs() -> None:
    broken = threading.Event()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async def fail_when_told() -> None:
            await asyncio.to_thread(broken.wait)
            raise LookupError("connection lost")

        async with anyio.create_task_group() as group:
            group.start_soon(fail_when_told)
            yield

    def use(runner: EventLoopTaskRunner) -> None:
        future = runner.submit(stuck(broken), {})
        with pytest.raises(CrashedRun, match="cancelled"):
            future.result()

    with pytest.raises(ExceptionGroup) as caught, EventLoopTaskRunner(1, lifespan) as runner:
        use(runner)
    assert caught.group_contains(LookupError, match="connection lost")


def test_a_lifespan_may_not_submit_while_it_is_entered() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        runner.submit(double, {"number": 1})
        yield

    with (
        EventLoopTaskRunner(1, lifespan) as runner,
        pytest.raises(RuntimeError, match="before it has been entered"),
    ):
        runner.submit(double, {"number": 1})
