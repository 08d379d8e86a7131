"""The task that Prefect tracks and retries: one account, one run."""

from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.results import (  # type: ignore[attr-defined]  # documented there, living elsewhere
    ResultRecord,
    ResultRecordMetadata,
)
from prefect.states import Cancelled, Completed, Failed

from lastword.attempt import attempt
from lastword.errors import Abandoned, LastWordError
from lastword.record import Recorded
from lastword.runs import AccountRef
from lastword.services import current
from models import OutcomeKind
from tasks.careful import careful
from tasks.options import is_last_attempt, retried

# Where a state has no result of its own, Prefect makes one for each task run, and looks in the
# file system for where it would be kept: a tenth of what a task run costs, for nothing.
NO_RESULT: ResultRecord[None] = ResultRecord(
    result=None,
    metadata=ResultRecordMetadata(storage_key="none"),
)


@retried(name="sync-account", task_run_name="sync {account.name}")
@careful
async def sync_account(
    account: AccountRef, run_id: int | None, *, force: bool = False, dry_run: bool = False
) -> State[object]:
    """Sync one account and return its outcome as a state: its name shows in the UI.

    Args:
        account: reference to the account.
        run_id: the run; None for a dry run.
        force: publish even where nothing changed.
        dry_run: do everything but publish.
    """
    last = is_last_attempt()
    try:
        outcome, recorded = await attempt(
            account, run_id, current(), last=last, force=force, dry_run=dry_run
        )
    except Abandoned as error:
        return Cancelled(message=str(error))
    except LastWordError as error:
        # Returned, not raised: a state's message is the error's, without a traceback in the log.
        return Failed(message=str(error), data=error)
    _tell(account, recorded)
    if outcome.kind is OutcomeKind.FAILED:
        return Failed(message=outcome.reason, data=NO_RESULT)
    return Completed(name=outcome.kind.value, message=outcome.reason, data=NO_RESULT)


def _tell(account: AccountRef, recorded: Recorded) -> None:
    for happened, event in (
        (recorded.began_to_need_owner, "lastword.account.needs-owner"),
        (recorded.ceased_to_need_owner, "lastword.account.healed"),
    ):
        if happened:
            emit_event(
                event,
                resource={
                    "prefect.resource.id": f"lastword.account.{account.id}",
                    "prefect.resource.name": account.name,
                },
            )
