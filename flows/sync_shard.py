"""One shard of a run, in a process of its own: a range of its accounts. See docs/decisions/0015."""

from typing import Any, cast

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.event_loop_task_runner import EventLoopTaskRunner
from flows.granularity import granularity
from flows.heap import settle_heap
from flows.lifespan import services_of_shard
from flows.progress import Progress
from flows.quiet import calm_the_log
from flows.syncing import WINDOW, sync_all
from flows.with_worker import end_with_worker
from lastword.errors import Abandoned, Systemic
from lastword.settings import Settings
from lastword.shard_work import ShardUnderWay
from models.errors import DatabaseTrouble
from tasks.work_on_shard import Taken, close_shard, take_shard


@flow(
    name="sync-shard",
    task_runner=EventLoopTaskRunner(WINDOW, services_of_shard),
    persist_result=False,
)
def sync_shard(run_id: int, number: int) -> State[Any]:
    """Sync the accounts of one shard. Started by sync-accounts, not by hand.

    Args:
        run_id: The run's number in Last Word's own tables.
        number: The shard's number in it.
    """
    end_with_worker()
    calm_the_log()
    settle_heap()
    try:
        parent = runtime.flow_run.parent_flow_run_id
        taken = cast("Taken", take_shard.submit(run_id, number, parent).result())
        grain = granularity(taken.of, Settings().task_runs)
        with Progress(len(taken.chosen.accounts)) as progress:
            seen = sync_all(taken.chosen, grain, progress, force=taken.force)
            message = close_shard.submit(taken, dict(seen)).result()
        return Completed(message=message)
    except Abandoned as error:
        return Cancelled(message=str(error))
    except (ShardUnderWay, Systemic, DatabaseTrouble) as error:
        return Failed(message=str(error))
