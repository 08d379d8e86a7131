"""The task for many accounts, where a task run for each would be more than Prefect can hold."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from lastword import runs
from lastword.attempt import attempt
from lastword.defect import defect
from lastword.errors import LastWordError, Systemic, Transient
from lastword.outcome import Outcome
from lastword.runs import AccountRef
from lastword.services import current
from models import OutcomeKind
from tasks.careful import careful
from tasks.options import is_last_attempt, retried


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the accounts of a run, in their order.

    Attributes:
        first: place of the first of them, from 1 on.
        of: accounts of the run, or of its shard.
        accounts: references to them.
    """

    first: int
    of: int
    accounts: list[AccountRef]

    @property
    def last(self) -> int:
        """Place of the last of them."""
        return self.first + len(self.accounts) - 1


def batches(accounts: list[AccountRef], size: int) -> list[Batch]:
    """Return accounts in batches of a size; the last may be smaller."""
    return [
        Batch(start + 1, len(accounts), accounts[start : start + size])
        for start in range(0, len(accounts), size)
    ]


@retried(
    name="sync-batch",
    task_run_name="sync accounts {batch.first:,} to {batch.last:,} of {batch.of:,}",
)
@careful
async def sync_batch(
    batch: Batch, run_id: int | None, *, force: bool = False, dry_run: bool = False
) -> State[object]:
    """Sync some accounts; the state's result is how many ended in which outcome.

    Its retries are Prefect's, by the rule for a single account. An attempt is over those that
    have no outcome in this run yet; a dry run records none, so it is over all of them again.
    Prefect gets no event of an account: they would be as many as the task runs that it is spared.

    Args:
        batch: the accounts.
        run_id: the run; None for a dry run.
        force: publish even where nothing changed.
        dry_run: do everything but publish.

    Returns:
        Completed, named Degraded where some failed; Failed where all did, where some are to be
        tried again, or where something systemic stopped it.
    """
    last = is_last_attempt()
    services = current()
    kinds: dict[int, OutcomeKind] = {}
    if run_id is not None:
        ids = [ref.id for ref in batch.accounts]
        kinds = await runs.outcomes(services.database, run_id, ids)

    async def sync(ref: AccountRef) -> Outcome | LastWordError:
        async with services.turns:
            try:
                outcome, _ = await attempt(
                    ref, run_id, services, last=last, force=force, dry_run=dry_run
                )
            except LastWordError as error:  # no account stops the others
                return error
            except Exception as error:  # noqa: BLE001 (same)
                return defect(error)
            return outcome

    left = [ref for ref in batch.accounts if ref.id not in kinds]
    ended = await asyncio.gather(*map(sync, left))
    if services.abandoned:
        return Cancelled(message=str(services.abandoned))
    errors = [one for one in ended if isinstance(one, LastWordError)]
    if systemic := next((one for one in errors if isinstance(one, Systemic)), None):
        return Failed(message=str(systemic), data=systemic)
    if again := [one for one in errors if isinstance(one, Transient)]:
        said = f"{len(again)} of {len(batch.accounts)} accounts are tried again: {again[0]}"
        return Failed(message=said, data=Transient(said))
    done = Counter([*kinds.values(), *(one.kind for one in ended if isinstance(one, Outcome))])
    return _state(done, without=len(errors))


def _state(done: Counter[OutcomeKind], *, without: int) -> State[object]:
    """Return how a batch ended; `without`: accounts that have no outcome, by a defect of ours."""
    said = [f"{done[kind]} {kind}" for kind in OutcomeKind if done[kind]]
    said += [f"{without} without outcome"] if without else []
    message = ", ".join(said)
    counts = {kind.value: number for kind, number in done.items()}
    failed = done[OutcomeKind.FAILED] + without
    if failed and failed == done.total() + without:
        return Failed(message=message)
    if failed:
        return Completed(name="Degraded", message=message, data=counts)
    return Completed(message=message, data=counts)
