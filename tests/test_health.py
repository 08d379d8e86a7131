"""Health is a pure function of the outcome and how the account stood before."""

from datetime import UTC, datetime, timedelta

import pytest

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.health import LOOK_AGAIN, Prognosis, health_after
from lastword.outcome import Outcome
from models import Health, OutcomeKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Rejected("no"), Prognosis(Health.NEEDS_OWNER, 3, None)),
        (Gone("no"), Prognosis(Health.GONE, 3, NOW + LOOK_AGAIN)),
        (Transient("no"), Prognosis(Health.FAILING, 3, None)),
        (Deferred("later", LATER), Prognosis(Health.FAILING, 2, LATER)),
        (Deferred("next run"), Prognosis(Health.FAILING, 2, None)),
    ],
)
def test_after_an_error(error: LastWordError, expected: Prognosis) -> None:
    outcome = Outcome.of_error(error)
    assert health_after(outcome, health=Health.FAILING, failures=2, now=NOW) == expected


@pytest.mark.parametrize(
    "kind", [OutcomeKind.PUBLISHED, OutcomeKind.UNCHANGED, OutcomeKind.SKIPPED]
)
@pytest.mark.parametrize("before", list(Health))
def test_success_heals_everything(kind: OutcomeKind, before: Health) -> None:
    after = health_after(Outcome(kind, ""), health=before, failures=7, now=NOW)
    assert after == Prognosis(Health.OK, 0, None)
