"""The first task of a run: who is it over? Also takes the lock that keeps runs apart."""

from dataclasses import dataclass
from typing import Any

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from lastword import runs
from lastword.runs import AccountRef, Which, WrongChoice
from lastword.services import current
from models.run_lock import RunUnderWay, run_lock
from tasks.careful import careful
from tasks.set_right import set_right


@dataclass(frozen=True, slots=True)
class Chosen:
    """A run that has begun.

    Attributes:
        run_id: None for a dry run.
        accounts: those that it is over.
        earlier: what was set right of runs before, for people; see `set_right`.
    """

    run_id: int | None
    accounts: list[AccountRef]
    earlier: str | None = None


@task(
    name="choose-accounts",
    task_run_name="choose accounts",
    persist_result=False,
    cache_policy=NO_CACHE,
)
@careful
async def choose_accounts(which: Which, names: list[str] | None, *, dry_run: bool) -> State[Any]:
    """Begin a run; the state's result is a `Chosen`.

    Args:
        which: which accounts; ignored where names are given.
        names: exactly these accounts.
        dry_run: leave no row of the run.

    Returns:
        Completed with a `Chosen`; Failed with a `RunUnderWay` (another process runs on the same
        database) or a `WrongChoice` (a name is unknown or paused), which `.result()` raises.
    """
    services = current()
    try:
        await services.until_the_end.enter_async_context(run_lock(services.database))
        if services.keyring:  # a new key may have come before the lock was ours
            await services.keyring.check(services.database)
        accounts = await runs.choose(services.database, which, names)
        await runs.expect(services.database, services.sources, accounts)
    except (RunUnderWay, WrongChoice) as error:
        # Returned, not raised: the log gets the message, without a traceback.
        return Failed(message=str(error), data=error)
    run_id = earlier = None
    if not dry_run:
        earlier = await set_right(services.database)
        run_id = await runs.begin(services.database, which, len(accounts), runtime.flow_run.id)
    return Completed(message=f"{len(accounts)} accounts", data=Chosen(run_id, accounts, earlier))
