"""The scheduled flow: choose accounts, sync each in a task run of its own, report."""

from collections import Counter
from time import monotonic
from typing import Any, Literal, cast

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.futures import as_completed
from prefect.states import Cancelled, Completed, Failed

from flows.event_loop_task_runner import EventLoopTaskRunner
from flows.lifespan import shared_services
from flows.progress import Progress
from flows.quiet import calm_the_log
from flows.telling import telling
from lastword.errors import Systemic
from lastword.ping import Ping
from lastword.runs import Which, WrongChoice
from lastword.settings import Settings
from lastword.verdict import Verdict
from models.errors import DatabaseTrouble
from models.run_lock import RunUnderWay
from tasks.choose_accounts import Chosen, choose_accounts
from tasks.report_run import report_run
from tasks.sync_account import sync_account

# A window, not the limit: a task run that waits for its retry holds its place in it. What must
# be limited (logins, connections to a host) is limited where it happens.
WINDOW = 200


@flow(
    name="sync-accounts",
    task_runner=EventLoopTaskRunner(WINDOW, shared_services),
    persist_result=False,
)
def sync_accounts(
    which: Literal["due", "failed", "all"] = "due",
    accounts: list[str] | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> State[Any]:
    """Set each account's newest public post as its chat status.

    Args:
        which: `due`: every account whose turn it is. `failed`: those that failed last time.
            `all`: every active account.
        accounts: Names of accounts: exactly these, whatever `which` says.
        force: Publish even where nothing changed.
        dry_run: Do everything but publish, and record nothing.
    """
    calm_the_log()
    is_whole = which != "failed" and not accounts and not dry_run
    try:
        with telling(is_whole=is_whole) as ping:
            return _sync(Which(which), accounts, ping, force=force, dry_run=dry_run)
    except (Systemic, DatabaseTrouble) as error:
        return Failed(message=str(error))


def _sync(
    which: Which, names: list[str] | None, ping: Ping, *, force: bool, dry_run: bool
) -> State[Any]:
    try:
        # The first task submitted opens the services: that is where a missing key shows.
        future = choose_accounts.submit(which, names, dry_run=dry_run)
        chosen = cast("Chosen", future.result())
    except RunUnderWay as error:
        return Cancelled(message=str(error))
    except WrongChoice as error:
        return Failed(message=str(error))
    ping.started()

    began = monotonic()
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

    report = report_run.submit(chosen, dict(seen), monotonic() - began)
    judged = cast("Verdict", report.result())
    if judged.state == "Failed":
        ping.failed(judged.message)
        return Failed(message=judged.message)
    (ping.succeeded if judged.adds_up else ping.failed)(judged.message)
    return Completed(name=judged.state, message=judged.message)
