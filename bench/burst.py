"""Many task runs of nothing, at once, by our task runner: `python -m bench.burst NUMBER TRIES`.

Prefect's server is the one of the environment. Prints, as JSON, the flow run's id, when its task
runs began and the seconds that they took; ends when Prefect's client has sent all that it had to.
"""

import asyncio
import json
import sys
from time import time
from typing import Any

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.futures import wait
from prefect.states import Completed, Failed

from flows.event_loop_task_runner import EventLoopTaskRunner
from flows.syncing import WINDOW
from lastword.settings import Settings

RETRY_SECONDS = Settings.model_fields["retry_seconds"].default


@task(
    name="nothing",
    task_run_name="nothing {number}",
    retry_delay_seconds=[RETRY_SECONDS, 2 * RETRY_SECONDS],
    retry_jitter_factor=0.5,
    persist_result=False,
    cache_policy=NO_CACHE,
)
async def nothing(number: int, tries: int) -> State[Any]:
    """Fail until the last try."""
    del number
    await asyncio.sleep(0)
    context = TaskRunContext.get()
    if context and context.task_run.run_count < tries:
        return Failed(message="once more")
    return Completed(name="Unchanged", message="nothing new")


@flow(name="burst", task_runner=EventLoopTaskRunner(WINDOW), persist_result=False)
def burst(number: int, tries: int) -> dict[str, Any]:
    """Return the flow run's id, when the task runs began, and how many seconds they took."""
    began = time()
    each = nothing.with_options(retries=tries - 1)
    wait(each.map(list(range(number)), tries=tries))
    return {"flow_run_id": str(runtime.flow_run.id), "began": began, "seconds": time() - began}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(burst(*map(int, sys.argv[1:]))) + "\n")
