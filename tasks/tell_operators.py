"""What a run means for operators, told as Prefect events: automations only forward the words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from lastword import cause_store
from lastword.cause_facts import Facts, News, event_name
from lastword.cause_words import not_started
from lastword.causes import judge
from lastword.health import EVERY
from lastword.runs import Tally
from lastword.services import Services
from lastword.verdict import Verdict
from models import Run
from models.types import now
from tasks.flow_runs_of import flow_runs_of

_SETTLED = timedelta(minutes=2)
"""Prefect's record of a run arrives after its end; after this long what is missing is lost."""
_KEPT = timedelta(days=1)
"""Older runs may have been vacuumed."""
_LOST = 0.01
"""A greater share of a run's task runs missing at Prefect is drift."""


async def tell_operators(
    services: Services, run_id: int, ended: Tally, judged: Verdict
) -> str | None:
    """Tell operators what a run means for them, if anything; see `lastword.causes`.

    Trouble with telling never costs the run, and never hides that it failed.

    Returns:
        What Prefect has not recorded of the run before, in words; None: nothing that is known.
    """
    try:
        return await _tell_causes(services, run_id, ended, judged)
    except Exception:  # noqa: BLE001 (the accounts are done: their run must not fail for this)
        get_run_logger().warning("Operators could not be told of causes", exc_info=True)
        if judged.state == "Failed":
            tell(not_started(judged.message))
    return None


async def _tell_causes(
    services: Services, run_id: int, ended: Tally, judged: Verdict
) -> str | None:
    database, settings = services.database, services.settings
    known = await cause_store.open_causes(database)
    before = await cause_store.before(database, run_id)
    drift = await _drift_if_told(before[0]) if before else None
    flow_run = _flow_run()
    is_whole = _is_whole(flow_run.parameters)
    facts = Facts(
        now=now(),
        judged=judged,
        due=ended.due,
        without_outcome=ended.without_outcome,
        threshold=settings.failure_threshold,
        active=await cause_store.active(database),
        standings=await cause_store.standings(database, run_id, known),
        is_whole=is_whole,
        troubles={what: str(trouble) for what, trouble in services.troubles.items()},
        drift=drift,
        late=_late(flow_run) if flow_run.auto_scheduled else None,
        last_ended=cause_store.last_ended(before) if flow_run.deployment_id and is_whole else None,
        spacing=cause_store.spacing(before, EVERY),
        no_run_after=settings.no_run_after,
    )
    causes, news = judge(facts, known)
    # Told before it is kept: rather twice than never, should this process die in between.
    for one in news:
        tell(one)
    await cause_store.keep(database, causes)
    return drift or None


def tell(news: News) -> None:
    """Emit the event of one message, with the link to the present flow run where there is one."""
    link = url_for("flow-run", obj_id=run) if (run := runtime.flow_run.id) else None
    emit_event(
        event_name(news.kind, news.change),
        resource={
            "prefect.resource.id": f"lastword.cause.{news.key}",
            "prefect.resource.name": news.subject,
        },
        payload={
            "subject": f"Last Word: {news.subject}",
            "body": f"{news.body}\nRun: {link}" if link else news.body,
            "host": news.host,
            "accounts": news.accounts,
        },
    )


def _flow_run() -> FlowRun:
    """Return the present flow run as it was when it began: the server need not be asked again."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("not within a flow run")
    return context.flow_run


def _is_whole(parameters: Mapping[str, object]) -> bool:
    """Tell a run over all that were due from a rerun of some."""
    return parameters.get("which", "due") != "failed" and not parameters.get("accounts")


def _late(flow_run: FlowRun) -> timedelta | None:
    if flow_run.start_time is None or flow_run.expected_start_time is None:
        return None
    return flow_run.start_time - flow_run.expected_start_time


async def _drift_if_told(run: Run) -> str | None:
    """Return what `_drift` does; None, too, where Prefect's server is too busy to tell."""
    try:
        return await _drift(run)
    except Exception:  # noqa: BLE001 (all other causes are known without it)
        get_run_logger().warning("Prefect did not tell what it has recorded", exc_info=True)
        return None


async def _drift(run: Run) -> str | None:
    """Compare what Prefect has recorded of the run before with our own row of it.

    Returns:
        What it lacks, in words; empty: nothing. None: there is nothing to compare.
    """
    age = now() - (run.ended_at or now())
    if run.flow_run_id is None or run.state == "Crashed" or not _SETTLED < age < _KEPT:
        return None
    async with get_client() as client:
        try:
            await client.read_flow_run(UUID(run.flow_run_id))
        except ObjectNotFound:
            return None  # it was told to another server, as `lastword run` starts one
        flow_runs = await flow_runs_of(client, run.flow_run_id)
        recorded = await _recorded(client, flow_runs, "sync ")
        # Where accounts shared task runs, Prefect knows of none: there is nothing to compare.
        if recorded < run.due and await _recorded(client, flow_runs, "sync accounts "):
            return None
    if run.due - recorded <= _LOST * run.due:
        return ""
    return f"of the {run.due} accounts of the run before, Prefect has recorded {recorded}"


async def _recorded(client: PrefectClient, flow_runs: Sequence[str], name: str) -> int:
    """Return how many task runs that have this in their name Prefect has seen the end of."""
    final = {"state": {"type": {"any_": sorted(TERMINAL_STATES)}}, "name": {"like_": name}}
    wanted = {"flow_runs": {"id": {"any_": flow_runs}}, "task_runs": final}
    answer = await client.request("POST", "/task_runs/count", json=wanted)
    return int(answer.raise_for_status().json())
