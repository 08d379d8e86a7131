"""The first task of a run: who is it over? Also takes the lock that keeps runs apart."""

from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from lastword import runs, shards
from lastword.runs import AccountRef, Which, WrongChoice
from lastword.services import Services, current
from models.run_lock import RunUnderWay, run_lock
from tasks.careful import careful
from tasks.options import ours
from tasks.set_right import set_right
from tasks.shard_flow_runs import DEPLOYMENT, has_deployment


@dataclass(frozen=True, slots=True)
class Chosen:
    """A run that has begun, and whom it is over.

    Attributes:
        run_id: its id; None for a dry run.
        accounts: references to them; none in a run in shards, whose processes choose their own.
        due: how many there are, in shards or not.
        shards: how many shards it is in; 0: this process does it all.
        earlier: what was set right of runs before, for people; see `set_right`.
    """

    run_id: int | None
    accounts: list[AccountRef]
    due: int
    shards: int = 0
    earlier: str | None = None


@ours(name="choose-accounts", task_run_name="choose accounts")
@careful
async def choose_accounts(
    which: Which, names: list[str] | None, *, dry_run: bool, force: bool = False
) -> State[Any]:
    """Begin a run; the state's result is a `Chosen`.

    Args:
        which: which accounts; ignored where names are given.
        names: exactly these accounts.
        dry_run: leave no row of the run.
        force: noted for shards.

    Returns:
        Completed with a `Chosen`; Failed with a `RunUnderWay` (another process runs on the same
        database) or a `WrongChoice` (a name is unknown or paused), which `.result()` raises.
    """
    services = current()
    try:
        await services.until_the_end.enter_async_context(run_lock(services.database))
        if services.keyring:  # a new key may have come before the lock was ours
            await services.keyring.check(services.database)
        if not names and not dry_run and await _is_for_shards(services, which):
            return await _in_shards(services, which, force=force)
        accounts = await runs.choose(services.database, which, names)
        await runs.expect(services.database, services.sources, accounts)
    except (RunUnderWay, WrongChoice) as error:
        # Returned, not raised: the log gets the message, without a traceback.
        return Failed(message=str(error), data=error)
    run_id = earlier = None
    if not dry_run:
        earlier = await set_right(services.database)
        run_id = await runs.begin(
            services.database, which, len(accounts), runtime.flow_run.id, force=force
        )
    return Completed(
        message=f"{len(accounts)} accounts",
        data=Chosen(run_id, accounts, len(accounts), 0, earlier),
    )


async def _is_for_shards(services: Services, which: Which) -> bool:
    """Tell whether it is more than one process should do, and others can be had."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        return False  # run by hand, in a process without workers
    if await runs.number_of(services.database, which) <= services.settings.shard_size:
        return False
    try:
        async with get_client() as client:
            if await has_deployment(client):
                return True
    except Exception:  # noqa: BLE001 (Prefect is the view: its trouble must not cost the run)
        get_run_logger().warning("Prefect's API could not be asked for shards: none are made")
        return False
    get_run_logger().warning(
        "There are more accounts than LASTWORD_SHARD_SIZE, but Prefect has no deployment %s:"
        " this process does them all; `lastword up` makes it, or `prefect deploy --all`",
        DEPLOYMENT,
    )
    return False


async def _in_shards(services: Services, which: Which, *, force: bool) -> State[Any]:
    earlier = await set_right(services.database)
    run_id = await shards.begin(
        services.database,
        which,
        runtime.flow_run.id,
        size=services.settings.shard_size,
        force=force,
    )
    made = await shards.shards_of(services.database, run_id)
    number = sum(shard.due for shard in made)
    chosen = Chosen(run_id, [], number, len(made), earlier)
    return Completed(message=f"{number} accounts in {len(made)} shards", data=chosen)
