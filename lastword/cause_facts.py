"""The words of alerting: what a run shows, the causes that are open, and the news about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from lastword.errors import LoginRefused, Rejected, Transient
from lastword.verdict import Verdict
from models import Health, OutcomeKind

WELL = frozenset({OutcomeKind.PUBLISHED, OutcomeKind.UNCHANGED, OutcomeKind.SKIPPED})
REFUSED = frozenset({Rejected.__name__, LoginRefused.__name__})


class Kind(StrEnum):
    """What a cause is of; the middle of its events' names."""

    HOST_DOWN = "host-down"
    HOST_REFUSES = "host-refuses"
    HOST_GONE = "host-gone"
    SYSTEMIC = "systemic"
    FAILURES = "failures"
    DEGRADED = "degraded"
    NEEDS_OWNER = "needs-owner"
    HOLDER_DEAD = "holder-dead"
    DRIFT = "drift"
    LATE = "late"
    NO_RUN = "no-run"
    NOT_STARTED = "not-started"
    TEST = "test"


class Change(StrEnum):
    """What is told of a cause; the end of its events' names."""

    OPENED = "opened"
    REMINDER = "reminder"
    ENDED = "ended"


def event_name(kind: Kind | str, change: Change | str) -> str:
    """Return the name of a Prefect event: `lastword.holder-dead.opened`."""
    return f"lastword.{kind}.{change}"


@dataclass(frozen=True, slots=True)
class Cause:
    """One trouble, however many accounts it meets; kept from run to run while it lasts.

    Attributes:
        key: kind and what it is about.
        kind: what it is of.
        host: the server that it is about, where it is one.
        since: when it was first seen.
        told_at: when operators were last told; None: not yet.
        clear_since: since when it has not been seen any more.
        runs: in how many runs it was seen.
        accounts: ids of the accounts that it met.
        says: what was last said of it.
    """

    key: str
    kind: Kind
    host: str | None
    since: datetime
    told_at: datetime | None = None
    clear_since: datetime | None = None
    runs: int = 1
    accounts: frozenset[int] = frozenset()
    says: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """One message for operators, finished but for the link to the run."""

    kind: Kind
    change: Change
    key: str
    subject: str
    body: str
    host: str | None = None
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one active account stands after a run.

    Attributes:
        id: its id.
        name: its name.
        in_run: whether the run was over it.
        kind: its latest outcome, in this run or before.
        error: the error's class name, where it came of one.
        host: the server that the error happened at.
        reason: what was said.
        is_limited: its host told it when to come back: a limit, and no trouble.
        health: its health.
        source_host: whom it has its posts from.
        jid_host: its chat server.
    """

    id: int
    name: str
    in_run: bool
    kind: OutcomeKind | None
    error: str | None = None
    host: str | None = None
    reason: str = ""
    is_limited: bool = False
    health: Health = Health.OK
    source_host: str = ""
    jid_host: str = ""

    @property
    def is_well(self) -> bool:
        """True where its latest outcome was one that somebody would want."""
        return self.kind in WELL

    @property
    def waits_for_host(self) -> bool:
        """True where its host, and not the account, was to blame."""
        deferred = self.kind is OutcomeKind.DEFERRED and not self.is_limited
        return self.host is not None and (deferred or self.error == Transient.__name__)

    def was_served_by(self, host: str) -> bool:
        """Tell whether this outcome shows that a server works.

        The chat server is asked only where there is something to publish.
        """
        published = self.kind is OutcomeKind.PUBLISHED
        return (self.is_well and host == self.source_host) or (published and host == self.jid_host)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a run shows.

    Attributes:
        now: the present moment (aware).
        judged: how the run ended.
        due: how many accounts it was over.
        without_outcome: how many of them have none.
        threshold: the share of failures above which a run is Failed.
        active: how many accounts there are.
        standings: the accounts of the run, those that wait for their owner, and those that open
            causes know.
        is_whole: it was over all that were due; a rerun of some by hand says nothing of all.
        troubles: what was systemic, by what is out of action (None: everything).
        drift: how our ledger and Prefect's record differ; empty: not at all; None: not compared.
        late: how long it waited to begin; None: nobody planned it.
        last_ended: when the run before it ended, other than by dying; None: not known, or this
            run was not planned.
        spacing: the usual time from one run to the next.
        no_run_after: without a run for longer than this, operators are told.
    """

    now: datetime
    judged: Verdict
    due: int
    standings: Sequence[Standing]
    active: int
    threshold: float = 0.2
    without_outcome: int = 0
    is_whole: bool = True
    troubles: Mapping[str | None, str] = field(default_factory=dict)
    drift: str | None = None
    late: timedelta | None = None
    last_ended: datetime | None = None
    spacing: timedelta = timedelta(minutes=30)
    no_run_after: timedelta = timedelta(minutes=45)
