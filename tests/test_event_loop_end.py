"""However it ends: futures complete, and nothing is left behind."""

import asyncio
import os
import signal
import threading
from typing import Any, NoReturn

import prefect
import pytest
from prefect import flow
from prefect.exceptions import CancelledRun, CrashedRun, Pause
from prefect.futures import PrefectFuture
from prefect.states import Suspended

from flows.event_loop_task_runner import EventLoopTaskRunner
from tests.fixtures_event_loop import (
    double,
    lifespan_log,
    recorded,
    stuck,
    task,
)

pytestmark = [pytest.mark.usefixtures("runner_log"), pytest.mark.xdist_group("prefect")]


def test_cancel_all_ends_everything() -> None:
    begun = threading.Event()
    log, lifespan = lifespan_log()
    with EventLoopTaskRunner(1, lifespan) as runner:
        running = runner.submit(stuck(begun), {})
        queued = runner.submit(double, {"number": 1})
        begun.wait()
        waiting = runner.submit(double, {"number": running})
        runner.cancel_all()
        assert log == ["entered", "left"]
        assert running.state.is_crashed()
        assert queued.state.is_cancelled()
        assert waiting.state.is_cancelled()
        with pytest.raises(CancelledRun, match="before this task run began"):
            queued.result()
        with pytest.raises(RuntimeError, match="not started"):
            runner.submit(double, {"number": 1})
    crashed = recorded(running.task_run_id, lambda run: bool(run.state and run.state.is_crashed()))
    assert crashed.state
    assert crashed.state.message == running.state.message


def test_a_flow_that_fails_cancels_its_task_runs() -> None:
    begun = threading.Event()
    futures: list[PrefectFuture[Any]] = []
    log, lifespan = lifespan_log()

    @flow(task_runner=EventLoopTaskRunner(1, lifespan))
    def run() -> None:
        futures.extend([stuck(begun).submit(), double.submit(1)])
        begun.wait()
        raise ValueError("the flow's own")

    with pytest.raises(ValueError, match="the flow's own"):
        run()
    assert log == ["entered", "left"]
    assert [future.state.type.value for future in futures] == ["CRASHED", "CANCELLED"]


def test_a_flow_that_ends_well_waits_for_what_has_begun_and_drops_the_rest(
    runner_log: pytest.LogCaptureFixture,
) -> None:
    begun = threading.Event()
    ended = threading.Event()
    futures: list[PrefectFuture[Any]] = []

    @task
    async def parent() -> int:
        begun.set()
        await asyncio.to_thread(ended.wait)
        child: Any = double.submit(2)
        return int(await child)

    @flow(task_runner=EventLoopTaskRunner(1))
    def run() -> None:
        futures.extend([parent.submit(), double.submit(1)])
        begun.wait()
        futures[1].add_done_callback(lambda _: ended.set())

    run()
    begun_one, dropped = futures
    assert begun_one.result() == 4
    assert dropped.state.is_cancelled()
    assert "1 task runs had not begun" in runner_log.text


def test_a_signal_cuts_short_the_wait_for_what_has_begun() -> None:
    class Stop(BaseException):
        pass

    def raise_stop(_signal: int, _frame: object) -> NoReturn:
        raise Stop

    begun = threading.Event()

    @task
    async def call_for_it() -> None:
        begun.set()
        await asyncio.sleep(0.1)  # the main thread is leaving the runner, most likely
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.Event().wait()

    futures: list[PrefectFuture[Any]] = []
    log, lifespan = lifespan_log()

    def leave_it_running(runner: EventLoopTaskRunner) -> None:
        with runner:
            futures.append(runner.submit(call_for_it, {}))
            begun.wait()

    previous = signal.signal(signal.SIGUSR1, raise_stop)
    try:
        with pytest.raises(Stop):
            leave_it_running(EventLoopTaskRunner(1, lifespan))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert log == ["entered", "left"]
    assert futures[0].state.is_crashed()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_the_loop_outlives_exits(
    error: BaseException, runner_log: pytest.LogCaptureFixture
) -> None:
    @task
    async def leave() -> NoReturn:
        raise error

    @task
    async def leave_in_the_background() -> str:
        async def do() -> NoReturn:
            raise error

        background = asyncio.create_task(do())
        await asyncio.wait([background])
        assert background.exception() is error
        return "still here"

    with EventLoopTaskRunner(2) as runner:
        crashed = runner.submit(leave, {})
        with pytest.raises(CrashedRun, match="aborted by"):
            crashed.result()
        assert crashed.state.is_crashed()
        assert runner.submit(leave_in_the_background, {}).result() == "still here"
        assert runner.submit(double, {"number": 1}).result() == 2
    assert "which goes on" in runner_log.text


def test_prefects_own_signals_pass_through() -> None:
    @task
    async def suspend() -> NoReturn:
        raise Pause(state=Suspended())

    with EventLoopTaskRunner(1) as runner:
        with pytest.raises(Pause):
            runner.submit(suspend, {}).result()
        assert runner.submit(double, {"number": 1}).result() == 2


def test_a_cancelled_sync_task_ends_its_attempt_and_has_no_other() -> None:
    attempts: list[str] = []
    begun, watching, cancelled = threading.Event(), threading.Event(), threading.Event()

    @prefect.task(retries=5)
    def attempt() -> NoReturn:
        attempts.append("begun")
        begun.set()
        cancelled.wait()
        raise ValueError("again?")

    @task
    async def watch() -> None:
        watching.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with EventLoopTaskRunner(2) as runner:
        future = runner.submit(attempt, {})
        runner.submit(watch, {})
        begun.wait()
        watching.wait()
        runner.cancel_all()
    assert future.state.is_crashed()
    assert attempts == ["begun"]
