"""The automations, each by its name: what it waits for, and what it says.

What a run tells is finished words in an event (see `lastword.causes`): those are forwarded. What
no run can tell, for there is none, or it died, is for Prefect's server to notice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from lastword.cause_facts import Change, Kind, event_name
from lastword.span import format_span

FLOW = "sync-accounts"
PREFIX = "Last Word: "
TAG = "lastword"
TEST = f"{PREFIX}test"
INSTALLED = "lastword.alerts.installed"
"""The event that the watch for silence begins with, before any run has ended."""

_DAY = timedelta(days=1)
_LINK = "{{ flow_run|ui_url }}"
_ENDED = frozenset({f"prefect.flow-run.{state}" for state in ("Completed", "Degraded", "Failed")})
_OURS = ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": FLOW})

FORWARDED = {
    "server out of action": (Kind.HOST_DOWN, Kind.HOST_REFUSES, Kind.HOST_GONE),
    "run failed": (Kind.FAILURES, Kind.SYSTEMIC),
    "accounts need their owner": (Kind.NEEDS_OWNER,),
    "holder dead": (Kind.HOLDER_DEAD,),
    "ledger and Prefect differ": (Kind.DRIFT,),
    "runs late": (Kind.LATE,),
    "runs complete again": (Kind.NO_RUN,),
}
"""Name → the kinds of causes whose every word it forwards."""
DEGRADED = "run degraded"
"""Forwarded only where the operator asks for it: a few failures are the accounts' own matter."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How patient the watch is.

    Attributes:
        no_run: without a run that ends for this long, operators are told.
        zombie: a run that shows no life for this long is dead; its heart beats every 180 s.
        degraded: whether operators hear of runs in which some accounts failed, but not too many.
    """

    no_run: timedelta
    zombie: timedelta = timedelta(seconds=540)
    degraded: bool = False


def automations(block: UUID, watch: Watch) -> list[AutomationCore]:
    """Return the automations, as they shall be.

    Args:
        block: id of the notification block's document.
        watch: how patient they are.
    """
    forwarded = dict(FORWARDED) | ({DEGRADED: (Kind.DEGRADED,)} if watch.degraded else {})
    made = [_forward(name, _events(kinds), block) for name, kinds in forwarded.items()]
    return [*made, *_of_the_server(block, watch), _sample(block)]


def names() -> list[str]:
    """Return the names of all automations that there may be."""
    anything = Watch(_DAY, degraded=True)
    return [one.name for one in automations(UUID(int=0), anything)]


def _of_the_server(block: UUID, watch: Watch) -> Iterator[AutomationCore]:
    # Once a day: a run that dies every time is told by the watch for silence, too.
    yield _named(
        "run crashed",
        EventTrigger(
            expect={"prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
            match_related=_OURS,
            within=_DAY,
        ),
        _say(
            block,
            "A run {{ event.resource['prefect.state-name'] }}",
            "{{ event.resource['prefect.state-message'] }}\n"
            "What to do: nothing at once: the next run takes over, and publishes nothing twice."
            " Look at what ended it: memory, a restart, `logs/` in the data directory. This is said"
            f" once a day at most, however many runs end so.\nRun: {_LINK}",
        ),
    )
    yield _named(
        "run could not start",
        EventTrigger(expect={event_name(Kind.NOT_STARTED, "*")}, within=_DAY),
        _forwarding(block),
    )
    silence = format_span(watch.no_run)
    yield _named(
        "no run",
        EventTrigger(
            posture=Posture.Proactive,
            after={*_ENDED, INSTALLED},
            expect=set(_ENDED),
            match_related=_OURS,
            # Without it the server would begin a new watch after each firing, and say so again.
            for_each={"related:flow:prefect.resource.id"},
            within=watch.no_run,
        ),
        _say(
            block,
            f"No run has ended for {silence}",
            f"The last one ended, or these alerts were installed, {silence} ago. Nobody's status"
            " changes.\nWhat to do: look whether `lastword up` (or the worker) is running and the"
            " schedule of the deployment is not paused. One message follows when runs complete"
            " again.",
        ),
    )
    yield _named(
        "zombie runs",
        EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=_OURS,
            for_each={"prefect.resource.id"},
            within=watch.zombie,
        ),
        ChangeFlowRunState(
            state=StateType.CRASHED,
            message=f"It showed no life for {format_span(watch.zombie)}: its process has died",
        ),
    )


def _sample(block: UUID) -> AutomationCore:
    return _forward(TEST.removeprefix(PREFIX), {event_name(Kind.TEST, Change.OPENED)}, block)


def _events(kinds: tuple[Kind, ...]) -> set[str]:
    return {event_name(kind, "*") for kind in kinds}


def _forward(name: str, events: set[str], block: UUID) -> AutomationCore:
    return _named(name, EventTrigger(expect=events), _forwarding(block))


def _forwarding(block: UUID) -> SendNotification:
    return SendNotification(
        block_document_id=block,
        subject="{{ event.payload.subject }}",
        body="{{ event.payload.body }}",
    )


def _say(block: UUID, subject: str, body: str) -> SendNotification:
    return SendNotification(block_document_id=block, subject=f"{PREFIX}{subject}", body=body)


def _named(name: str, trigger: EventTrigger, action: Any) -> AutomationCore:  # noqa: ANN401
    made = AutomationCore(
        name=f"{PREFIX}{name}",
        description="By `lastword alerts install`: see docs/alerts.md",
        tags=[TAG],
        trigger=trigger,
        actions=[action],
    )
    # An update leaves out what was not set by hand, and the server then misses what is required.
    return AutomationCore.model_validate(made.model_dump(exclude={"owner_resource"}))
