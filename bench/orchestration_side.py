"""One flow run of empty tasks for `bench.orchestration`, in a process of its own.

The tasks have the options of `sync_account`, and do nothing: what is left is what Prefect costs.
Given the way and their number; prints JSON in one line.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Callable, Sequence
from time import monotonic, process_time
from typing import Any

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.futures import as_completed
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.event_loop_task_runner import EventLoopTaskRunner
from flows.heap import settle_heap
from flows.quiet import calm_the_log
from flows.syncing import WINDOW
from lastword.runs import AccountRef
from tasks.options import retried
from tasks.sync_account import NO_RESULT

_DRAIN = 120.0
"""Seconds for the last events to be sent."""


@retried(name="empty", task_run_name="sync {account.name}")
async def empty(
    account: AccountRef, run_id: int | None, *, force: bool = False, dry_run: bool = False
) -> State[Any]:
    """Do nothing, and say so as `sync_account` does."""
    del account, run_id, force, dry_run
    return Completed(name="Unchanged", message="nothing new", data=NO_RESULT)


def _map(accounts: Sequence[AccountRef]) -> None:
    """Run them as our flow does."""
    for future in as_completed(empty.map(accounts, 1, force=unmapped(False))):
        _ = future.state


async def _gather(accounts: Sequence[AccountRef]) -> None:
    """Run them by Prefect's engine alone."""
    runs: list[Any] = [empty(account, 1, return_state=True) for account in accounts]
    await asyncio.gather(*runs)


class Meter:
    """Counts from when it is started until all that Prefect is to know has been sent."""

    def start(self) -> None:
        self._began, self._used = monotonic(), process_time()
        self._flow_run_id = flow_run.id

    def read(self, number: int) -> dict[str, object]:
        """Return what so many task runs took each, and the process's memory at most."""
        APILogWorker.drain_all(timeout=_DRAIN)
        EventsWorker.drain_all(timeout=_DRAIN)
        used = process_time() - self._used
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "flow_run_id": self._flow_run_id,
            "cpu_ms": used / number * 1000,
            "wall_ms": (monotonic() - self._began) / number * 1000,
            "memory": memory / 1000,
        }


def run(way: str, number: int) -> dict[str, object]:
    """Run so many task runs in one flow run."""
    accounts = [AccountRef(place, f"person{place}") for place in range(1, number + 1)]
    first, meter = accounts[:1], Meter()
    mapping = {"ours": EventLoopTaskRunner(WINDOW), "threads": ThreadPoolTaskRunner(WINDOW)}

    def mapped() -> None:
        _map(first)  # so that what is done once, is done
        meter.start()
        _map(accounts)

    async def gathered() -> None:
        await _gather(first)
        meter.start()
        await _gather(accounts)

    calm_the_log()
    settle_heap()
    if way == "gather":
        asyncio.run(flow(name="orchestration")(gathered)())
    else:
        measured: Callable[[], None] = flow(name="orchestration", task_runner=mapping[way])(mapped)
        measured()
    return meter.read(number)


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(run(sys.argv[1], int(sys.argv[2])))}\n")
