"""Health is a pure function of an account's history."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.errors import Defect, Deferred, Gone, LastWordError, LoginRefused, Rejected, Transient
from lastword.health import EVERY, LONGEST, Prognosis, back_off, health_after, waits_until
from lastword.outcome import Outcome
from models import Health, OutcomeKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
WELL = Prognosis(Health.OK, 0, None)
TWICE = Prognosis(Health.FAILING, 2, None)


def after(error: LastWordError, before: Prognosis = TWICE, now: datetime = NOW) -> Prognosis:
    return health_after(Outcome.of_error(error), before, now=now, seed=1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Rejected("no"), Prognosis(Health.NEEDS_OWNER, 1, None)),
        (LoginRefused("no"), Prognosis(Health.NEEDS_OWNER, 1, None)),
        (Gone("no"), Prognosis(Health.GONE, 1, NOW + LONGEST - EVERY / 2)),
        (Deferred("later", LATER), Prognosis(Health.FAILING, 2, LATER)),
        (Deferred("at the end of time", NEVER), Prognosis(Health.FAILING, 2, NOW + LONGEST)),
        (Deferred("a moment ago", NOW - EVERY), TWICE),
        (Deferred("next run"), TWICE),
    ],
)
def test_after_an_error(error: LastWordError, expected: Prognosis) -> None:
    assert after(error) == expected


@pytest.mark.parametrize(
    "kind", [OutcomeKind.PUBLISHED, OutcomeKind.UNCHANGED, OutcomeKind.SKIPPED]
)
@pytest.mark.parametrize("health", list(Health))
def test_success_heals_everything(kind: OutcomeKind, health: Health) -> None:
    before = Prognosis(health, 7, LATER)
    assert health_after(Outcome(kind, ""), before, now=NOW, seed=1) == WELL


def test_back_off_doubles_up_to_a_day() -> None:
    least = [1, 2, 4, 8, 16, 32, 48, 48, 48]
    for failures, runs in enumerate(least, 1):
        found = {back_off(failures, seed) for seed in range(500)}
        assert min(found) == runs
        assert max(found) == min(runs + runs // 4, 48)
    assert back_off(10_000, 1) == 48


@pytest.mark.parametrize("error", [Transient("no"), Defect("a bug")])
def test_what_fails_is_tried_again_in_exactly_so_many_runs(error: LastWordError) -> None:
    standing, moment, waited = WELL, NOW, []
    for _ in range(9):
        standing = after(error, standing, moment + timedelta(seconds=9))
        runs = 1
        while waits_until(standing.due_at, moment + runs * EVERY):
            runs += 1
        waited.append(runs)
        moment += runs * EVERY
    assert waited == [back_off(failures, 1) for failures in range(1, 10)]


def test_those_that_failed_together_come_back_apart() -> None:
    due = [sum(back_off(n, seed) for n in range(1, 7)) for seed in range(400)]
    assert max(due.count(run) for run in due) < 400 / 5


def test_people_who_try_before_its_turn_do_not_lengthen_the_wait() -> None:
    waiting = after(Transient("no"), Prognosis(Health.FAILING, 5, None))
    assert after(Transient("by hand"), waiting) == waiting
    in_turn = after(Transient("no"), waiting, NOW + 2 * LONGEST)
    assert in_turn.failures == waiting.failures + 1


def test_gone_and_unreachable_by_turns_is_counted_anew() -> None:
    gone = after(Gone("410"), Prognosis(Health.GONE, 30, None))
    assert gone.failures == 31
    assert after(Transient("no answer"), gone) == Prognosis(Health.FAILING, 1, None)


@pytest.mark.parametrize(
    ("due_at", "waits"),
    [(None, False), (NOW, False), (LATER, True), (NOW + LONGEST, True), (NEVER, False)],
)
def test_who_waits(due_at: datetime | None, *, waits: bool) -> None:
    assert waits_until(due_at, NOW) == (due_at if waits else None)


ERRORS = st.sampled_from(
    [Transient("t"), Gone("g"), Defect("d"), Deferred("d"), Deferred("n", NEVER), None]
)


@given(history=st.lists(st.tuples(ERRORS, st.integers(0, 3)), max_size=60), seed=st.integers(1))
def test_whatever_happens_nobody_waits_longer_than_a_day(
    history: list[tuple[LastWordError | None, int]], seed: int
) -> None:
    standing, moment = WELL, NOW
    for error, days in history:
        outcome = Outcome.of_error(error) if error else Outcome(OutcomeKind.UNCHANGED, "")
        standing = health_after(outcome, standing, now=moment, seed=seed)
        assert waits_until(standing.due_at, moment) == standing.due_at
        assert standing.due_at is None or standing.due_at <= moment + LONGEST
        assert (standing.health is Health.OK) == (standing.failures == 0)
        moment += days * LONGEST + EVERY


def test_a_run_is_as_long_as_the_schedule_says() -> None:
    deployments = Path("prefect.yaml").read_text(encoding="utf-8")
    assert re.findall(r"interval: (\d+)", deployments) == [f"{EVERY.total_seconds():.0f}"]
