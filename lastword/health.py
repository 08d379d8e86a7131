"""An account's health after an outcome, as a pure function."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lastword.errors import Deferred, Gone, Rejected
from lastword.outcome import Outcome
from models import Health, OutcomeKind

LOOK_AGAIN = timedelta(days=1)
"""How long something gone is left alone before another look."""


@dataclass(frozen=True, slots=True)
class Prognosis:
    """Health, failed outcomes in a row, and when the account is due again (None: next run)."""

    health: Health
    failures: int
    due_at: datetime | None


def health_after(outcome: Outcome, *, health: Health, failures: int, now: datetime) -> Prognosis:
    """Return how an account stands after an outcome.

    Args:
        outcome: what became of it.
        health: how it stood before.
        failures: its failed outcomes in a row before.
        now: the present moment (aware).
    """
    match outcome.error:
        case Rejected():
            return Prognosis(Health.NEEDS_OWNER, failures + 1, None)
        case Gone():
            return Prognosis(Health.GONE, failures + 1, now + LOOK_AGAIN)
        case Deferred(until=until):
            return Prognosis(health, failures, until)
    if outcome.kind is OutcomeKind.FAILED:
        return Prognosis(Health.FAILING, failures + 1, None)
    if outcome.kind is OutcomeKind.DEFERRED:
        return Prognosis(health, failures, None)
    return Prognosis(Health.OK, 0, None)
