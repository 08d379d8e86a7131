"""Task runs that Prefect still shows as under way though their run is over, set as they ended.

Prefect's record may lose an event, or its sender dies. Our ledger knows (docs/decisions/0002).
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import TERMINAL_STATES, State, StateType
from prefect.states import Completed, Crashed, Failed

from lastword import runs, shards
from lastword.earlier import Ended, ended
from models import OutcomeKind, Run
from models.database import Database
from models.types import now
from tasks.flow_runs_of import flow_runs_of

RUNS = 3
"""So many runs are looked at: one that is too young now is old enough for the next."""
MOST = 200
"""Task runs set right at a time; the others are the next run's."""
SECONDS = 5.0
"""A run waits no longer for it."""
_SETTLED = timedelta(minutes=2)
"""Prefect's record of a run arrives after its end."""
_KEPT = timedelta(days=1)
_AT_ONCE = 10
_SYNC, _BATCH = "sync ", "sync accounts "


async def set_right(database: Database) -> str | None:
    """Set right what Prefect shows of earlier runs; call it when no other run is under way.

    One request where nothing is wrong, and two more for each run in shards. Trouble with it costs
    the run nothing.

    Returns:
        What was done, for people; None: nothing had to be.
    """
    try:
        async with asyncio.timeout(SECONDS), get_client() as client:
            done = await _set_right(client, database)
    except Exception as error:  # noqa: BLE001 (a view is set right; the run is the work)
        get_run_logger().warning("Earlier runs were not compared with Prefect: %s", error)
        return None
    if not done:
        return None
    said = "1 task run" if done == 1 else f"{done} task runs"
    more = ", and more are left" if done == MOST else ""
    return (
        f"Of earlier runs Prefect still showed {said} as under way; set right by our ledger{more}."
    )


async def _set_right(client: PrefectClient, database: Database) -> int:
    over = [
        (run, await _flow_runs(client, database, run))
        for run in await runs.recent(database, RUNS)
        if _is_over(run)
    ]
    unfinished = await _unfinished(client, [one for _, flow_runs in over for one in flow_runs])
    slots = asyncio.Semaphore(_AT_ONCE)

    async def put(task_run: Mapping[str, Any], state: State[Any]) -> None:
        async with slots:
            await client.set_task_run_state(UUID(task_run["id"]), state, force=True)

    for run, flow_runs in over:
        mine = [it for it in unfinished if it["flow_run_id"] in flow_runs]
        names = {it["name"].removeprefix(_SYNC) for it in mine}
        known = await ended(database, run, names) if names else {}
        await asyncio.gather(*(put(it, _state(it["name"], run, known)) for it in mine))
    return len(unfinished)


def _is_over(run: Run) -> bool:
    """Tell a run of which Prefect should know all by now; one that is open has died."""
    age = now() - (run.ended_at or run.started_at)
    return age < _KEPT and (run.ended_at is None or age > _SETTLED)


async def _flow_runs(client: PrefectClient, database: Database, run: Run) -> Sequence[str]:
    """Return the flow runs of a run that has ended or died, of which nobody is at work any more."""
    if run.flow_run_id is None:
        return []
    if not await shards.shards_of(database, run.id or 0):
        return [run.flow_run_id]
    if run.ended_at is None:
        # It has died, and its shards may live: they stop once the next run has begun, not before.
        return []
    return await flow_runs_of(client, run.flow_run_id)


async def _unfinished(client: PrefectClient, flow_runs: Sequence[str]) -> list[dict[str, Any]]:
    if not flow_runs:
        return []
    under_way = sorted(set(StateType) - TERMINAL_STATES)
    wanted = {
        "flow_runs": {"id": {"any_": flow_runs}},
        "task_runs": {"state": {"type": {"any_": under_way}}},
        "limit": MOST,
    }
    answer = await client.request("POST", "/task_runs/filter", json=wanted)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def _state(name: str, run: Run, known: Mapping[str, Ended]) -> State[Any]:
    """Return the state that a task run of an earlier run should be in."""
    if name.startswith(_SYNC) and (found := known.get(name.removeprefix(_SYNC))):
        kind, reason = found
        if kind is OutcomeKind.FAILED:
            return Failed(message=reason)
        return Completed(name=kind.value, message=reason)
    if run.ended_at is None or run.state == "Crashed":
        return Crashed(message="its process died")
    if name.startswith(_SYNC) and not name.startswith(_BATCH):
        return Crashed(message="there is no outcome of it in the ledger")
    return Completed(message="its run is over")
