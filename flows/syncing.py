"""The mapping of accounts, in one place: over task runs, each followed to its end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, cast

from prefect import Task, unmapped
from prefect.futures import PrefectFuture

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

SLICE = 2 * WINDOW
"""So many are mapped at once, and the next ones when half of them have ended: of ten thousand, each
that waits would cost 40 KB of memory, and there are enough of them to fill the window."""

Work = AccountRef | Batch


def sync_all(
    chosen: Chosen,
    grain: Granularity,
    progress: Progress,
    *,
    force: bool,
    dry_run: bool = False,
) -> Counter[str]:
    """Sync the chosen accounts; return how many ended by the name of their final state.

    Args:
        chosen: the run and its accounts.
        grain: how many of them share a task run.
        progress: told of each account that is done.
        force: publish even where nothing changed.
        dry_run: do everything but publish.
    """
    retry = Settings().retry_seconds
    how: dict[str, Any] = {"force": unmapped(force), "dry_run": unmapped(dry_run)}
    seen: Counter[str] = Counter()
    each: Sequence[Work] = chosen.accounts
    task: Task[..., Any] = sync_account
    if grain.accounts > 1:
        each, task = batches(chosen.accounts, grain.accounts), sync_batch
    task = task.with_options(retry_delay_seconds=[retry, 2 * retry])
    for work, future in _mapped(task, each, chosen.run_id, how):
        seen.update(_outcomes(future, work))
        progress.advance(seen)
    return seen


def _mapped(
    task: Task[..., Any], each: Sequence[Work], run_id: int | None, how: Mapping[str, Any]
) -> Iterator[tuple[Work, PrefectFuture[Any]]]:
    """Map a task over all of them, slice by slice; yield each with its future once it has ended."""
    ended = SimpleQueue[tuple[Work, PrefectFuture[Any]]]()
    slices = (each[start : start + SLICE] for start in range(0, len(each), SLICE))
    under_way = 0
    while True:
        while under_way <= SLICE // 2 and (some := next(slices, None)):
            for work, future in zip(some, task.map(some, run_id, **how), strict=True):
                future.add_done_callback(lambda it, work=work: ended.put((work, it)))
            under_way += len(some)
        if not under_way:
            return
        yield ended.get()
        under_way -= 1


def _outcomes(future: PrefectFuture[Any], work: Work) -> Mapping[str, int]:
    """Return the accounts of a task run by outcome, or by the state that it ended in."""
    state = future.state
    if isinstance(work, Batch) and state.is_completed():
        return cast("dict[str, int]", future.result())
    return {
        state.name or state.type.value: 1 if isinstance(work, AccountRef) else len(work.accounts)
    }
