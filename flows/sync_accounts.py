"""The scheduled flow: choose accounts, sync each in a task run of its own, report."""

from time import monotonic
from typing import Any, Literal, cast

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.event_loop_task_runner import EventLoopTaskRunner
from flows.granularity import granularity
from flows.heap import settle_heap
from flows.lifespan import shared_services
from flows.progress import Progress
from flows.quiet import calm_the_log
from flows.syncing import WINDOW, sync_all
from flows.telling import telling
from flows.with_worker import end_with_worker
from lastword.errors import Systemic
from lastword.ping import Ping
from lastword.runs import Which, WrongChoice
from lastword.settings import Settings
from lastword.verdict import Verdict
from models.errors import DatabaseTrouble
from models.run_lock import RunUnderWay
from tasks.choose_accounts import Chosen, choose_accounts
from tasks.follow_shards import follow_shards
from tasks.report_run import report_run


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
    end_with_worker()
    calm_the_log()
    settle_heap()
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
        future = choose_accounts.submit(which, names, dry_run=dry_run, force=force)
        chosen = cast("Chosen", future.result())
    except RunUnderWay as error:
        return Cancelled(message=str(error))
    except WrongChoice as error:
        return Failed(message=str(error))
    ping.started()

    began = monotonic()
    grain = granularity(chosen.due, Settings().task_runs)
    if grain.why:
        get_run_logger().warning(grain.why)
    seen: dict[str, int] | None = None
    with Progress(len(chosen.accounts)) as progress:
        if chosen.shards:
            cast("None", follow_shards.submit(chosen).result())
        else:
            seen = dict(sync_all(chosen, grain, progress, force=force, dry_run=dry_run))
        report = report_run.submit(chosen, seen, monotonic() - began, grain.why)
        judged = cast("Verdict", report.result())
    if judged.state == "Failed":
        ping.failed(judged.message)
        return Failed(message=judged.message)
    (ping.succeeded if judged.adds_up else ping.failed)(judged.message)
    return Completed(name=judged.state, message=judged.message)
