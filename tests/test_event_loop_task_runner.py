"""EventLoopTaskRunner against a real Prefect server: what docs/event-loop-task-runner.md says."""

import asyncio
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import anyio
import cloudpickle  # type: ignore[import-untyped]
import prefect
import pytest
from prefect import flow, get_client, unmapped
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import CancelledRun, CrashedRun, ObjectNotFound, Pause
from prefect.futures import PrefectDistributedFuture, PrefectFuture, as_completed, wait
from prefect.states import Completed, Suspended
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from flows.event_loop_task_runner import EventLoopTaskRunner


def task(function: Callable[..., Any]) -> Task[..., Any]:
    """`@task`; mypy takes what an async task's future gives for a coroutine."""
    return prefect.task(function)


service: ContextVar[str] = ContextVar("service", default="none")


@pytest.fixture(autouse=True)
def runner_log(
    prefect_server: None,  # noqa: ARG001  # every test needs it
    caplog: pytest.LogCaptureFixture,
) -> Iterator[pytest.LogCaptureFixture]:
    """The runner's log; and whatever a test does, no thread and no task is left behind."""
    yield caplog
    left = [t.name for t in threading.enumerate() if t.name.startswith("EventLoopTaskRunner")]
    assert not left
    assert not [record for record in caplog.records if record.name == "asyncio"]


@asynccontextmanager
async def open_service() -> AsyncIterator[str]:
    token = service.set("open")
    try:
        yield "ignored"
    finally:
        service.reset(token)


@contextmanager
def lifespan_log() -> Iterator[tuple[list[str], Any]]:
    """A lifespan that notes when it is entered and left."""
    log: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        log.append("entered")
        yield
        log.append("left")

    yield log, lifespan


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
    with lifespan_log() as (log, lifespan):

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


def test_cancel_all_ends_everything() -> None:
    begun = threading.Event()
    with lifespan_log() as (log, lifespan), EventLoopTaskRunner(1, lifespan) as runner:
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

    with lifespan_log() as (log, lifespan):

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

    def leave_it_running(runner: EventLoopTaskRunner) -> None:
        with runner:
            futures.append(runner.submit(call_for_it, {}))
            begun.wait()

    previous = signal.signal(signal.SIGUSR1, raise_stop)
    try:
        with lifespan_log() as (log, lifespan), pytest.raises(Stop):
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


def test_sync_tasks_run_in_threads_within_the_same_limit() -> None:
    both = threading.Barrier(2, timeout=30)

    @task
    def meet(_: int) -> int:
        both.wait()  # with fewer at once than two, nobody ever comes
        return threading.get_ident()

    with EventLoopTaskRunner(2) as runner:
        threads = runner.map(meet, {"_": [1, 2]}).result()
        assert len({*threads, threading.get_ident()}) == 3


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


def test_states_are_at_hand_without_asking_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventLoopTaskRunner(3) as runner:
        futures = runner.map(double, {"number": list(range(10))})
        monkeypatch.setattr(prefect.futures, "get_client", lambda **_: pytest.fail("asked"))
        for future in as_completed(list(futures)):
            assert future.state.is_completed()
            assert future.state.state_details.task_run_id == future.task_run_id


def test_names_and_states_reach_the_api() -> None:
    @prefect.task(task_run_name="sync {name}")
    async def sync(name: str) -> State[Any]:
        return Completed(name="Unchanged", message=f"{name} said nothing new")

    @flow(task_runner=EventLoopTaskRunner(1))
    def run() -> UUID:
        future = sync.submit("ann")
        future.wait()
        return future.task_run_id

    task_run = recorded(run(), lambda run: run.state_name == "Unchanged")
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
