"""An account's health, as a pure function of its history: fold `health_after` over its outcomes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from lastword.errors import Deferred, Gone, Rejected
from lastword.outcome import Outcome
from models import Health, OutcomeKind

EVERY = timedelta(minutes=30)
"""From one run to the next, as prefect.yaml says: back-off counts in runs."""
LONGEST = timedelta(days=1)
"""Nothing that comes back by itself is left alone for longer."""
_LONGEST_RUNS = LONGEST // EVERY
_ABSURD = LONGEST + timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Prognosis:
    """How an account stands, and when it is due again.

    Attributes:
        health: its health.
        failures: failed outcomes in a row since it has been of this health.
        due_at: not before this moment (aware); None: at the next run.
    """

    health: Health
    failures: int
    due_at: datetime | None


def health_after(outcome: Outcome, before: Prognosis, *, now: datetime, seed: int) -> Prognosis:
    """Return how an account stands after an outcome.

    What failed is left alone for 1, 2, 4 … runs, a day at most. What is gone is looked at once a
    day: not spread as back-off is, for it shall be back within a day. A host's failure leaves
    health as it was; a refusal waits for the owner, whatever the clock says.

    Args:
        outcome: what became of it.
        before: how it stood before.
        now: the present moment (aware).
        seed: the account's own number, by which those that failed together come back apart.
    """
    match outcome.error:
        case Deferred(until=until):
            return Prognosis(before.health, before.failures, _at_most_a_day(until, now))
        case Rejected():
            return Prognosis(Health.NEEDS_OWNER, _in_a_row(before, Health.NEEDS_OWNER), None)
        case Gone():
            failures = _in_a_row(before, Health.GONE)
            return Prognosis(Health.GONE, failures, _after(_LONGEST_RUNS, now))
    if outcome.kind is not OutcomeKind.FAILED:
        return Prognosis(Health.OK, 0, None)
    if before.health is Health.FAILING and waits_until(before.due_at, now):
        # People asked for it before its turn: however often they do, its back-off stays.
        return before
    failures = _in_a_row(before, Health.FAILING)
    return Prognosis(Health.FAILING, failures, _after(back_off(failures, seed), now))


def back_off(failures: int, seed: int) -> int:
    """Return in how many runs an account is tried again: 1, 2, 4 …, and up to a quarter more.

    Args:
        failures: failed outcomes in a row, 1 or more.
        seed: the account's own number. A host's accounts that failed in the same run would all
            come back in the same run, and together be the next trouble.
    """
    runs = min(1 << min(failures - 1, 16), _LONGEST_RUNS)
    more = crc32(f"{seed} {failures}".encode()) % (runs // 4 + 1)
    return min(runs + more, _LONGEST_RUNS)


def waits_until(due_at: datetime | None, now: datetime) -> datetime | None:
    """Return the moment that an account waits for, or None where it is due.

    A moment further off than we ever set comes of a clock that was wrong: nobody waits for it.
    The query of `lastword.runs` says the same in SQL.
    """
    return due_at if due_at and now < due_at <= farthest(now) else None


def farthest(now: datetime) -> datetime:
    """Return the latest moment that an account may wait for; an hour is for clocks set back."""
    return now + _ABSURD


def _in_a_row(before: Prognosis, health: Health) -> int:
    return before.failures + 1 if before.health is health else 1


def _after(runs: int, now: datetime) -> datetime | None:
    """Return a moment halfway before that run: no run is missed by a second."""
    return now + (runs - 0.5) * EVERY if runs > 1 else None


def _at_most_a_day(until: datetime | None, now: datetime) -> datetime | None:
    return min(until, now + LONGEST) if until and until > now else None
