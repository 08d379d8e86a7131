"""The mapping of accounts, in one place: over task runs, each followed to its end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from prefect import Task, unmapped
from prefect.futures import PrefectFuture, as_completed

from flows.granularity import Granularity
from flows.progress import Progress
from lastword.runs import AccountRef
from lastword.services import TURNS
from lastword.settings import Settings
from tasks.choose_accounts import Chosen
from tasks.sync_account import sync_account
from tasks.sync_batch import Batch, batches, sync_batch

# A window, not the limit: a task run that waits for its retry holds its place in it. What must
# be limited (logins, connections to a host) is limited where it happens.
WINDOW = TURNS


def sync_all(
    chosen: Chosen, grain: Granularity, *, force: bool, dry_run: bool = False
) -> Counter[str]:
    """Sync the chosen accounts; return how many ended by the name of their final state.

    Args:
        chosen: the run and its accounts.
        grain: how many of them share a task run.
        force: publish even where nothing changed.
        dry_run: do everything but publish.
    """
    retry = Settings().retry_seconds
    how: dict[str, Any] = {"force": unmapped(force), "dry_run": unmapped(dry_run)}
    seen: Counter[str] = Counter()
    with Progress(len(chosen.accounts)) as progress:
        each: Sequence[AccountRef | Batch] = chosen.accounts
        task: Task[..., Any] = sync_account
        if grain.accounts > 1:
            each, task = batches(chosen.accounts, grain.accounts), sync_batch
        futures = task.with_options(retry_delay_seconds=[retry, 2 * retry]).map(
            each, chosen.run_id, **how
        )
        work = dict(zip(futures, each, strict=True))
        for future in as_completed(futures):
            seen.update(_outcomes(future, work[future]))
            progress.advance(seen)
    return seen


def _outcomes(future: PrefectFuture[Any], work: AccountRef | Batch) -> Mapping[str, int]:
    """Return the accounts of a task run by outcome, or by the state that it ended in."""
    state = future.state
    if isinstance(work, Batch) and state.is_completed():
        return cast("dict[str, int]", future.result())
    return {
        state.name or state.type.value: 1 if isinstance(work, AccountRef) else len(work.accounts)
    }
