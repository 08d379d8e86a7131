"""The first and the last task of a shard: taking it, and closing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect import runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from lastword import runs, shard_work, shards
from lastword.errors import Abandoned, Systemic
from lastword.services import current
from lastword.shard_work import ShardUnderWay
from models import Shard
from tasks.careful import careful
from tasks.choose_accounts import Chosen
from tasks.options import ours


@dataclass(frozen=True, slots=True)
class Taken:
    """A shard that this process is at work on.

    Attributes:
        shard: as it was taken.
        chosen: the accounts in it that are to be synced.
        force: whether to publish even what is unchanged.
        of: accounts in the whole run.
    """

    shard: Shard
    chosen: Chosen
    force: bool
    of: int


@ours(name="take-shard", task_run_name="take the shard")
@careful
async def take_shard(run_id: int, number: int, parent: str | None) -> State[Any]:
    """Take a shard; the state's result is a `Taken`.

    Args:
        run_id: the run.
        number: the shard's.
        parent: the flow run that asked for this one.

    Returns:
        Completed with a `Taken`; Failed with an `Abandoned` (there is nothing to do any more), a
        `ShardUnderWay` (another process does it), or a `Systemic` (it is no shard of ours), which
        `.result()` raises.
    """
    services = current()
    stay = services.until_the_end.enter_async_context
    try:
        await stay(shard_work.shard_lock(services.database, number))
        run, shard = await shard_work.take(
            services.database,
            run_id,
            number,
            flow_run_id=str(runtime.flow_run.id),
            parent=parent,
        )
    except (Abandoned, ShardUnderWay, Systemic) as error:
        # Returned, not raised: the log gets the message, without a traceback.
        return Failed(message=str(error), data=error)
    await stay(shard_work.watching(services, shard))
    if services.keyring:  # a new key may have come since the services were opened
        await services.keyring.check(services.database)
    accounts = await shards.choose(services.database, run, shard)
    await runs.expect(services.database, services.sources, accounts)
    taken = Taken(shard, Chosen(run_id, accounts, len(accounts)), run.force, run.due)
    return Completed(message=f"{len(accounts)} accounts", data=taken)


@ours(name="close-shard", task_run_name="close the shard")
@careful
async def close_shard(taken: Taken, seen: Mapping[str, int]) -> str:
    """Close a shard in our tables, and return in words how it went.

    Args:
        taken: the shard.
        seen: accounts by the name of their task runs' final state, as Prefect saw them.

    Raises:
        Abandoned: nobody wants to know.
    """
    services = current()
    if services.abandoned:
        raise services.abandoned
    said = ", ".join(f"{number} {name}" for name, number in sorted(seen.items()))
    await shard_work.close(services, taken.shard, said or "no account was left in it")
    return said or "No account was left in it."
