"""The mapping of accounts, in one place: each in a task run of its own, followed to its end."""

from collections import Counter

from prefect import unmapped
from prefect.futures import as_completed

from flows.progress import Progress
from lastword.settings import Settings
from tasks.choose_accounts import Chosen
from tasks.sync_account import sync_account

# A window, not the limit: a task run that waits for its retry holds its place in it. What must
# be limited (logins, connections to a host) is limited where it happens.
WINDOW = 200


def sync_all(chosen: Chosen, *, force: bool, dry_run: bool = False) -> Counter[str]:
    """Sync the chosen accounts; return the task runs by the name of their final state.

    Args:
        chosen: the run and its accounts.
        force: publish even where nothing changed.
        dry_run: do everything but publish.
    """
    retry = Settings().retry_seconds
    futures = sync_account.with_options(retry_delay_seconds=[retry, 2 * retry]).map(
        chosen.accounts, chosen.run_id, force=unmapped(force), dry_run=unmapped(dry_run)
    )
    seen: Counter[str] = Counter()
    with Progress(len(chosen.accounts)) as progress:
        for future in as_completed(futures):
            state = future.state
            seen[state.name or state.type.value] += 1
            progress.advance(seen)
    return seen
