"""EventLoopTaskRunner against a real Prefect server: docs/event-loop-task-runner.md, held to it."""

import asyncio
import gc
import pickle
import threading
from collections.abc import Iterator
from typing import Any, NoReturn
from uuid import UUID

import cloudpickle  # type: ignore[import-untyped]
import prefect
import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed

from flows.event_loop_task_runner import EventLoopTaskRunner
from tests.fixtures_event_loop import (
    double,
    double_sync,
    fail,
    open_service,
    recorded,
    service,
    task,
)

pytestmark = [
    pytest.mark.usefixtures("runner_log"),
    pytest.mark.xdist_group("prefect"),
    # Prefect's client leaves sockets to the garbage collector in async flows, with any runner.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def tidy() -> Iterator[None]:
    """Have it collected here, not in a test of something else, which would be told of it."""
    yield
    gc.collect()


async def test_an_async_flow_awaits_its_futures() -> None:
    @flow(task_runner=EventLoopTaskRunner(5))
    async def run() -> tuple[int, list[int]]:
        with EventLoopTaskRunner(2) as own:
            first = await own.submit(double, {"number": 1})
            others: Any = own.map(double, {"number": [2, 3]})
            return first, await asyncio.gather(*others)

    assert await run() == (2, [4, 6])


async def test_an_async_flow_uses_its_runner() -> None:
    @flow(task_runner=EventLoopTaskRunner(5, open_service))
    async def run() -> list[str]:
        @task
        async def look(_: int) -> str:
            return service.get()

        return look.map(range(3)).result()

    assert await run() == ["open"] * 3


def test_futures_that_a_flow_returns_become_its_states() -> None:
    @flow(task_runner=EventLoopTaskRunner(5))
    def run() -> list[PrefectFuture[int]]:
        return list(double.map([1, 2]))

    states: Any = run()
    assert [state.result() for state in states] == [2, 4]


def test_a_failure_stays_with_its_task_run() -> None:
    with EventLoopTaskRunner(5) as runner:
        bad = runner.submit(fail, {"reason": "no"})
        good = runner.submit(double, {"number": 1})
        assert good.result() == 2
        with pytest.raises(ValueError, match="no"):
            bad.result()
        assert isinstance(bad.result(raise_on_failure=False), ValueError)
        assert bad.state.is_failed()


def test_retries_as_the_condition_says() -> None:
    attempts: list[str] = []

    def worth_it(_task: object, _run: object, state: State[Any]) -> bool:
        return isinstance(state.data, ConnectionError)

    @prefect.task(retries=2, retry_delay_seconds=0, retry_condition_fn=worth_it)
    async def attempt(error: Exception) -> NoReturn:
        attempts.append(str(error))
        raise error

    with EventLoopTaskRunner(1) as runner:
        futures = runner.map(attempt, {"error": [ConnectionError("again"), ValueError("never")]})
        wait(futures)
    assert attempts == ["again"] * 3 + ["never"]


def test_as_many_at_once_as_allowed_and_never_more() -> None:
    running, most = 0, 0
    full = asyncio.Event()

    @task
    async def count(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 7:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        running -= 1

    with EventLoopTaskRunner(7) as runner:
        runner.map(count, {"_": list(range(30))}).wait()
    assert most == 7


def test_nested_submissions_need_no_second_slot() -> None:
    @flow(task_runner=EventLoopTaskRunner(1))
    def run() -> tuple[list[int], int]:
        @task
        async def middle(number: int) -> int:
            children: Any = double.map([number, number + 1])
            return sum(await asyncio.gather(*children))

        @task
        async def top() -> list[int]:
            children: Any = middle.map([1, 10])
            return list(await asyncio.gather(*children))

        @task
        def blocking() -> int:
            return int(double_sync.submit(double.submit(1)).result())

        first, second = top.submit(), blocking.submit()
        return first.result(), second.result()

    assert run() == ([6, 42], 4)


def test_sync_tasks_run_in_threads_within_the_same_limit() -> None:
    both = threading.Barrier(2, timeout=30)

    @task
    def meet(_: int) -> int:
        both.wait()  # with fewer at once than two, nobody ever comes
        return threading.get_ident()

    with EventLoopTaskRunner(2) as runner:
        threads = runner.map(meet, {"_": [1, 2]}).result()
        assert len({*threads, threading.get_ident()}) == 3


def test_names_and_states_reach_the_api() -> None:
    @prefect.task(task_run_name="sync {name}")
    async def sync(name: str) -> State[Any]:
        return Completed(name="Unchanged", message=f"{name} said nothing new")

    @flow(task_runner=EventLoopTaskRunner(1))
    def run() -> UUID:
        future = sync.submit("ann")
        future.wait()
        return future.task_run_id

    # The run's row and its state's arrive one after the other.
    task_run = recorded(run(), lambda run: run.state is not None and run.state.name == "Unchanged")
    assert task_run.name == "sync ann"
    assert task_run.state
    assert task_run.state.message == "ann said nothing new"


def test_a_duplicate_is_equal_and_a_pickle_starts_afresh() -> None:
    runner = EventLoopTaskRunner(3, open_service)
    assert runner.name == "eventloop"
    assert runner.duplicate() == runner
    assert runner.duplicate() is not runner
    assert hash(runner.duplicate()) == hash(runner)
    assert runner != EventLoopTaskRunner(4, open_service)
    assert runner != EventLoopTaskRunner(3)
    assert runner != "runner"
    with EventLoopTaskRunner(3) as started:
        started.submit(double, {"number": 1}).wait()
        with pickle.loads(pickle.dumps(started)) as copy:  # noqa: S301  # our own
            assert copy == started
            assert copy.submit(double, {"number": 2}).result() == 4

    @flow(task_runner=EventLoopTaskRunner(1, open_service))
    def run() -> int:
        return int(double.submit(1).result())

    assert cloudpickle.loads(cloudpickle.dumps(run))() == 2


def test_it_starts_once_and_again_after_its_end() -> None:
    runner = EventLoopTaskRunner(1)
    with pytest.raises(RuntimeError, match="not started"):
        runner.submit(double, {"number": 1})
    with pytest.raises(RuntimeError, match="must be started"):
        runner.map(double, {"number": [1]})
    for _ in range(2):
        with runner:
            assert runner.submit(double, {"number": 1}).result() == 2
            with pytest.raises(RuntimeError, match="already started"):
                runner.__enter__()
    with runner:
        runner.cancel_all()
    with pytest.raises(ValueError, match="1 or more"):
        EventLoopTaskRunner(0)


# Last, because Prefect's server takes a while to write all these down.
def test_all_task_runs_share_one_loop_and_thread() -> None:
    @task
    async def where(_: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return id(asyncio.get_running_loop()), threading.get_ident()

    @flow(task_runner=EventLoopTaskRunner(50))
    def run() -> set[tuple[int, int]]:
        return set(where.map(range(500)).result())

    [(_, thread)] = run()
    assert thread != threading.get_ident()
