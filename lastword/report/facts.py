"""What the report tells, and nothing of how it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from models import Health, OutcomeKind

Counts = Mapping[OutcomeKind, int]
"""Accounts by outcome, in the order of `OutcomeKind`."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run that ended.

    Attributes:
        started_at: when (aware).
        state: its state in Prefect, or `Crashed`.
        message: what it said about itself.
        due: accounts that it was over.
        counts: what became of them.
        seconds: how long it took; None: its process died, and nobody knows.
    """

    started_at: datetime
    state: str
    message: str
    due: int
    counts: Counts
    seconds: float | None

    @property
    def ended_at(self) -> datetime:
        """When it ended, as far as is known."""
        return self.started_at + timedelta(seconds=self.seconds or 0)


@dataclass(frozen=True, slots=True)
class DayFacts:
    """All runs of a day (UTC).

    Attributes:
        day: which.
        runs: how many ended.
        not_completed: how many of them are Failed or Crashed.
        counts: outcomes, over all of them.
        mean: seconds of a run.
        longest: seconds of the longest one.
    """

    day: date
    runs: int
    not_completed: int
    counts: Counts
    mean: float
    longest: float


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A server whose accounts failed or were deferred.

    Attributes:
        host: its name.
        accounts: how many it happened to.
        failed: how often they failed.
        deferred: how often they were deferred.
        last_at: when one last did either (aware).
        reason: what was said then.
    """

    host: str
    accounts: int
    failed: int
    deferred: int
    last_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An account, what happened to it, and what to do.

    Attributes:
        name: the account's.
        at: when it happened, or since when it lasts (aware).
        reason: what happened.
        advice: what to do.
    """

    name: str
    at: datetime
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page tells.

    Attributes:
        made_at: the present moment of it (aware).
        runs: the latest, oldest first.
        days: each day since the first that had a run, oldest first.
        health: active accounts by their health.
        paused: accounts that people have paused.
        hosts: the worst first.
        waiting: accounts that need their owner, the latest first; the first so many of them.
        failures: the latest Failed outcomes, newest first.
    """

    made_at: datetime
    runs: Sequence[RunFacts]
    days: Sequence[DayFacts]
    health: Mapping[Health, int]
    paused: int
    hosts: Sequence[HostFacts]
    waiting: Sequence[Trouble]
    failures: Sequence[Trouble]
