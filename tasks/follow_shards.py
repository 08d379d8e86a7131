"""The task of a run in shards: sends them off, follows them, and gathers what they met."""

from time import monotonic
from uuid import UUID

from anyio import move_on_after, sleep
from prefect import get_run_logger
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client

from lastword import shards
from lastword.errors import Systemic
from lastword.pace import HostPace
from lastword.services import current
from lastword.shard_course import Course, is_over
from models import Run, Shard, ShardState
from tasks.careful import careful
from tasks.choose_accounts import Chosen
from tasks.options import ours
from tasks.shard_flow_runs import ShardFlowRuns

EVERY = 2.0
"""Seconds between two steps."""
PATIENCE = 180.0
"""Seconds that Prefect's API, or our database, may be away."""
LEAVE = 20.0
"""Seconds to have the shards end where the run is cancelled."""


@ours(name="follow-shards", task_run_name="follow {chosen.shards} shards")
@careful
async def follow_shards(chosen: Chosen) -> None:
    """Return when all shards are over, or nobody works on them; `services.troubles` says which.

    Args:
        chosen: the run.

    Raises:
        Systemic: the run is no longer ours.
        DatabaseTrouble: our database was away for long.
    """
    services = current()
    async with services.database.session() as session:
        run = await session.get_one(Run, chosen.run_id)
    async with get_client() as client:
        course = Course(
            services.database,
            run,
            services.settings.shards_at_once,
            ShardFlowRuns(client, run.id or 0),
        )
        try:
            present = await _follow(course)
        except BaseException:
            with move_on_after(LEAVE, shield=True):
                await course.cancel("the run that it belongs to has ended")
            raise
    if course.trouble:
        services.troubles.setdefault(None, course.trouble)
    for shard in present:
        _gather(shard)


async def _follow(course: Course) -> list[Shard]:
    progress = _Progress(course)
    well = monotonic()
    while True:
        try:
            present = await course.step()
            await progress.tell()
            well = monotonic()
        except Systemic:
            raise
        except Exception as error:
            if monotonic() - well > PATIENCE:
                raise
            # Nothing is lost: the shards work on, and the next step takes up where this one was.
            get_run_logger().warning("The shards were not looked at: %s", error)
        else:
            if is_over(present):
                await progress.tell(is_last=True)
                return present
        await sleep(EVERY)


def _gather(shard: Shard) -> None:
    """Take in what a shard's processes met, and say what became of one that is not done."""
    services = current()
    for kind, said in shard.troubles.items():
        services.troubles.setdefault(kind or None, Systemic(said, kind or None))
    services.elsewhere.extend(HostPace(**host) for host in shard.slowest)
    if shard.state is not ShardState.DONE:
        get_run_logger().warning("Shard %d %s: %s", shard.number, shard.state, shard.reason)


class _Progress:
    """The progress artifact, moved from our own tables."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._artifact: UUID | None = None
        self._again = 0.0

    async def tell(self, *, is_last: bool = False) -> None:
        """Say how far the run is; Prefect's trouble with it costs the run nothing."""
        if (began := monotonic()) < self._again and not is_last:
            return
        run = self._course.run
        counted = await shards.counted(self._course.database, run.id or 0)
        # To count very many takes its time, and shall not be most of what the database does.
        self._again = monotonic() + 10 * (monotonic() - began)
        share = min(100.0, 100 * sum(counted.values()) / max(run.due, 1))
        try:
            if self._artifact is None:
                self._artifact = await acreate_progress_artifact(
                    share, key="sync-progress", description="Accounts done"
                )
            else:
                await aupdate_progress_artifact(self._artifact, progress=share)
        except Exception:  # noqa: BLE001 (Prefect is the view)
            get_run_logger().warning("Prefect's API took no news of the progress")
