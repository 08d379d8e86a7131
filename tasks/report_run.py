"""The last task of a run: judge it, close its row, leave a summary and a table of failures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from prefect import get_run_logger
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from lastword import host_turns, runs, shards
from lastword.changes import changes_in
from lastword.failure_table import failure_table
from lastword.ledger import prune
from lastword.pace import slowest
from lastword.runs import Tally
from lastword.services import current
from lastword.summary import Surroundings, summary
from lastword.verdict import Verdict, verdict
from models import OutcomeKind
from models.database import Database
from models.errors import DatabaseTrouble
from models.types import now
from tasks.careful import careful
from tasks.choose_accounts import Chosen
from tasks.leave_page import leave_page
from tasks.options import ours
from tasks.tell_operators import tell_operators
from tasks.tell_owners import tell_owners

SLOWEST = 5
"""Hosts in the summary."""
RECENT = 12
"""Runs in its chart: six hours."""


@ours(name="report-run", task_run_name="report the run")
@careful
async def report_run(
    chosen: Chosen, seen: dict[str, int] | None, seconds: float, note: str | None = None
) -> Verdict:
    """Close the run by our own tables and leave its artifacts.

    Args:
        chosen: the run and its accounts.
        seen: accounts by the name of their task runs' final state, as Prefect saw them; None: they
            are in shards.
        seconds: how long the accounts took.
        note: what else people should know of this run.
    """
    services = current()
    ended = await _tally(services.database, chosen, seen or {})
    trouble = "; ".join(map(str, services.troubles.values())) or None
    judged = verdict(ended, threshold=services.settings.failure_threshold, trouble=trouble)
    around = Surroundings(
        note=note, earlier=chosen.earlier, slowest=slowest(services.paces(), SLOWEST)
    )
    if chosen.run_id is not None:
        await runs.finish(services.database, chosen.run_id, ended, judged.state, judged.message)
        changes = await changes_in(services.database, chosen.run_id)
        around = replace(
            around,
            changes=changes,
            recent=await runs.recent(services.database, RECENT),
            shards=await shards.shards_of(services.database, chosen.run_id),
        )
        await _forget()
        if chosen.shards:
            await host_turns.forget(services.database)
        drift = await tell_operators(services, chosen.run_id, ended, judged)
        around = replace(around, drift=drift)
        await tell_owners(services)
        await leave_page(services.database, services.settings)
    try:
        page = summary(ended, judged, seen, seconds, around)
        await acreate_markdown_artifact(key="sync-summary", markdown=page, description="The run")
        if ended.failures:
            await acreate_table_artifact(
                key="sync-failures",
                table=failure_table(ended.failures, now()),
                description="Accounts that failed in this run, worst first",
            )
    except Exception:  # noqa: BLE001 (Prefect is the view: its trouble must not cost the run)
        get_run_logger().warning("Prefect's API took no artifacts of this run", exc_info=True)
    return judged


async def _tally(database: Database, chosen: Chosen, seen: Mapping[str, int]) -> Tally:
    if chosen.run_id is None:
        counts = Counter({kind: seen.get(kind.value, 0) for kind in OutcomeKind})
        return Tally(len(chosen.accounts), +counts)
    if chosen.shards:
        due = await shards.due(database, chosen.run_id)
    else:
        due = await runs.still_there(database, chosen.accounts)
    return await runs.tally(database, chosen.run_id, due)


async def _forget() -> None:
    services = current()
    try:
        await prune(services.database, services.settings.retention)
    except DatabaseTrouble as error:
        get_run_logger().warning("Old outcomes were not forgotten: %s", error)
