"""Futures of task runs on one event loop: upstream, awaited, and never blocking it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import prefect
import prefect.futures
import pytest
from prefect import flow, unmapped
from prefect.futures import PrefectDistributedFuture, as_completed, wait
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from flows.event_loop_task_runner import EventLoopTaskRunner
from tests.fixtures_event_loop import (
    double,
    fail,
    recorded,
    task,
)

pytestmark = [pytest.mark.usefixtures("runner_log"), pytest.mark.xdist_group("prefect")]


def test_upstream_futures_are_awaited_without_holding_a_slot() -> None:
    order: list[str] = []
    free = threading.Event()

    @task
    def foreign() -> str:
        free.wait()
        return "theirs"

    @task
    async def note(what: str, release: bool = False) -> str:
        order.append(what)
        if release:
            free.set()
        return what

    with ThreadPoolTaskRunner(1) as threads, EventLoopTaskRunner(1) as runner:  # type: ignore[var-annotated]
        theirs = threads.submit(foreign, {})
        after = runner.submit(note, {"what": "after"}, wait_for=[theirs])
        given = runner.submit(note, {"what": theirs})
        runner.submit(note, {"what": "before", "release": True})
        assert after.result() == "after"
        assert given.result() == "theirs"
    assert order[0] == "before"
    assert sorted(order[1:]) == ["after", "theirs"]


def test_a_future_from_the_api_is_an_upstream_like_any_other() -> None:
    with EventLoopTaskRunner(1) as runner:
        first = runner.submit(double.with_options(persist_result=True), {"number": 1})
        first.wait()
        recorded(first.task_run_id, lambda run: bool(run.state and run.state.is_completed()))
        distant = PrefectDistributedFuture[int](first.task_run_id)
        assert runner.submit(double, {"number": distant}).result() == 4


def test_futures_in_parameters_become_results_wherever_they_stand() -> None:
    @task
    async def show(value: object, more: object = None) -> object:
        return value, more

    with EventLoopTaskRunner(1) as runner:
        one, two = runner.map(double, {"number": [1, 2]})
        nested = runner.submit(show, {"value": [one, {"two": two}]})
        mapped = runner.map(show, {"value": [one, 7], "more": unmapped([two])})
        quoted = runner.submit(show, {"value": quote(one)})
        assert nested.result() == ([2, {"two": 4}], None)
        assert mapped.result() == [(2, [4]), (7, [4])]
        assert quoted.result() == (one, None)


def test_what_depends_on_a_failure_is_not_ready() -> None:
    with EventLoopTaskRunner(1) as runner:
        bad = runner.submit(fail, {"reason": "no"})
        after = runner.submit(double, {"number": 1}, wait_for=[bad])
        given = runner.submit(double, {"number": bad})
        wait([after, given])
        assert [after.state.name, given.state.name] == ["NotReady"] * 2


def test_blocking_the_loop_is_refused() -> None:
    @task
    async def block(how: str) -> int:
        future: Any = double.submit(1)
        ways: dict[str, Callable[[], Any]] = {
            "result": future.result,
            "wait": lambda: future.wait(timeout=60),
            "wait for a list": lambda: wait([future], timeout=60),
            "as_completed": lambda: list(as_completed([future])),
        }
        future.wait(timeout=0)  # only looks
        with pytest.raises(RuntimeError, match="await future"):
            ways[how]()
        await future.wait_async()
        return int(future.result())

    @flow(task_runner=EventLoopTaskRunner(1))
    def run() -> list[int]:
        return block.map(["result", "wait", "wait for a list", "as_completed"]).result()

    assert run() == [2] * 4


async def test_an_awaiter_that_is_cancelled_leaves_the_task_run_alone() -> None:
    free = asyncio.Event()

    @task
    async def wait_for_it() -> str:
        while not free.is_set():
            await asyncio.sleep(0.01)
        return "done"

    with EventLoopTaskRunner(1) as runner:
        future = runner.submit(wait_for_it, {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.01)
        assert not future.wrapped_future.cancel()
        free.set()
        assert await future == "done"


def test_states_are_at_hand_without_asking_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventLoopTaskRunner(3) as runner:
        futures = runner.map(double, {"number": list(range(10))})
        monkeypatch.setattr(prefect.futures, "get_client", lambda **_: pytest.fail("asked"))
        for future in as_completed(list(futures)):
            assert future.state.is_completed()
            assert future.state.state_details.task_run_id == future.task_run_id
