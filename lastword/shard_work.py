"""A process at work on one shard: it takes it, notices when nobody wants its work, closes it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from time import monotonic

from sqlmodel import func, select

from lastword.errors import Abandoned, Systemic
from lastword.pace import slowest
from lastword.services import Services
from models import Run, Shard, ShardState
from models.database import Database
from models.errors import DatabaseTrouble
from models.lock import Lock, Locked, holding
from models.types import now

PATIENCE = 90.0
"""Seconds that a process waits for another that is at work on a shard of the same number: one of
a run that is over stops within them, and PostgreSQL notices by then that a machine went away."""
LOOK = 5.0
"""Seconds between two looks at whether the run goes on."""
_AGAIN = 0.5
_HOSTS = 10

log = logging.getLogger(__name__)


class ShardUnderWay(Locked):
    """Another process is at work on a shard of this number."""

    def __str__(self) -> str:
        return f"another process is at work on this shard{self.by}"


def lock_of(number: int) -> Lock:
    """Return the lock that the process at work on a shard of this number holds."""
    return Lock(f"shard-{number}", 1 << 32 | number)


@asynccontextmanager
async def shard_lock(database: Database, number: int) -> AsyncIterator[None]:
    """Hold the one right to work on a shard of this number; it may take a while to get it.

    Raises:
        ShardUnderWay: another process keeps it.
    """
    until = monotonic() + PATIENCE
    async with AsyncExitStack() as stack:
        while True:
            try:
                await stack.enter_async_context(holding(database, lock_of(number), ShardUnderWay))
                break
            except ShardUnderWay:
                if monotonic() > until:
                    raise
            await asyncio.sleep(_AGAIN)
        yield


async def take(
    database: Database, run_id: int, number: int, *, flow_run_id: str, parent: str | None
) -> tuple[Run, Shard]:
    """Note that this process is at work on a shard; call it with the shard's lock held.

    Args:
        database: ours.
        run_id: the run.
        number: the shard's.
        flow_run_id: our own flow run.
        parent: the flow run that asked for ours.

    Raises:
        Abandoned: there is nothing to do any more.
        Systemic: our database knows no such shard of such a run.
    """
    async with database.writing() as session:
        shard = await session.get(Shard, (run_id, number), with_for_update=True)
        run = await session.get(Run, run_id)
        if run is None or shard is None or run.flow_run_id != parent:
            raise Systemic(
                f"this worker's database knows no shard {number} of run {run_id}: workers share one"
                " database, and on several machines that is PostgreSQL (LASTWORD_DATABASE_URL);"
                " by hand start the deployment of sync-accounts, which makes shards by itself"
            )
        newest = (await session.exec(select(func.max(Run.id)))).one()
        if why := _over(run, shard, newest):
            raise Abandoned(why)
        shard.state, shard.flow_run_id = ShardState.RUNNING, flow_run_id
        shard.started_at, shard.ended_at, shard.reason = now(), None, ""
    return run, shard


@asynccontextmanager
async def watching(services: Services, taken: Shard) -> AsyncIterator[None]:
    """Look, for the length of the block, whether the shard is ours still; if not, stop the others.

    The run's own process may die, and the next run begin; or it may give this process up.
    """
    task = asyncio.create_task(_watch(services, taken))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(services: Services, taken: Shard) -> None:
    while services.abandoned is None:
        await asyncio.sleep(LOOK)
        try:
            if why := await _no_more(services.database, taken):
                services.abandoned = Abandoned(why)
        except DatabaseTrouble as error:
            log.warning("whether the run goes on is not known: %s", error)


async def _no_more(database: Database, taken: Shard) -> str | None:
    async with database.session() as session:
        run = await session.get(Run, taken.run_id)
        shard = await session.get(Shard, (taken.run_id, taken.number))
        newest = (await session.exec(select(func.max(Run.id)))).one()
    if run is None or shard is None:
        return "the run was forgotten"
    if shard.flow_run_id != taken.flow_run_id:
        return "another process has taken over this shard"
    return _over(run, shard, newest)


def _over(run: Run, shard: Shard, newest: int | None) -> str | None:
    """Return why nothing is to be done for a shard any more, or None."""
    if run.ended_at or run.id != newest:
        return f"run {run.id} is over"
    if shard.state.is_over:
        return f"shard {shard.number} of run {run.id} is over: {shard.state}"
    return None


async def close(services: Services, taken: Shard, reason: str) -> None:
    """Note that this process has ended its work in order, and what the run's own is to tell.

    Args:
        services: those of this process.
        taken: the shard as it was taken.
        reason: how it went.
    """
    async with services.database.writing() as session:
        shard = await session.get(Shard, (taken.run_id, taken.number), with_for_update=True)
        if shard is None or shard.flow_run_id != taken.flow_run_id or shard.state.is_over:
            return
        shard.ended_at, shard.reason = now(), reason
        shard.troubles = {**shard.troubles} | {
            kind or "": str(trouble) for kind, trouble in services.troubles.items()
        }
        hosts = slowest(services.paces(), _HOSTS)
        shard.slowest = [*shard.slowest, *(asdict(host) for host in hosts)]
