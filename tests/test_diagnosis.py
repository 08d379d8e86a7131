"""`lastword why` answers in few lines: what, why, when next, what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastword.diagnosis import diagnosis
from models import Account, Health, LedgerEntry, OutcomeKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def account(**changes: Any) -> Account:  # noqa: ANN401
    return Account(
        name="alice",
        source="feed:https://a.example/feed",
        jid="alice@chat.example",
        edited_at=NOW - timedelta(days=1),
        health_since=NOW - timedelta(hours=3),
        **changes,
    )


def text_of(lines: list[tuple[str, str]], about: str) -> str:
    return next(text for heading, text in lines if heading == about)


def test_an_account_that_was_never_tried() -> None:
    lines = diagnosis(account(), [], NOW)
    assert text_of(lines, "Now") == "not tried yet"
    assert text_of(lines, "Next") == "at the next run"


def test_a_paused_account() -> None:
    lines = diagnosis(account(active=False), [], NOW)
    assert "resume alice" in text_of(lines, "Next")


@pytest.mark.parametrize(
    ("health", "error", "due_at", "now", "following", "todo"),
    [
        (Health.NEEDS_OWNER, "Rejected", None, "waits for its owner", "never, until", "edit alice"),
        (Health.GONE, "Gone", NOW + timedelta(hours=21), "gone", "2026-03-02 09:00", "once a day"),
        (Health.FAILING, "Transient", None, "failing", "at the next run", "why alice"),
        (Health.OK, "Deferred", NOW + timedelta(hours=1), "well", "2026-03-01 13:00", "host"),
    ],
)
def test_each_way_of_failing(
    health: Health, error: str, due_at: datetime | None, now: str, following: str, todo: str
) -> None:
    failed = account(
        health=health,
        failures=4,
        due_at=due_at,
        last_outcome=OutcomeKind.FAILED,
        last_error=error,
        last_reason="what happened",
        last_at=NOW - timedelta(minutes=5),
    )
    history = [
        LedgerEntry(run_id=n, account_id=1, kind=OutcomeKind.FAILED, reason="before", at=NOW)
        for n in range(5)
    ]
    lines = diagnosis(failed, history, NOW)
    assert now in text_of(lines, "Now")
    assert "3 hours ago, 4 times in a row" in text_of(lines, "Now")
    assert text_of(lines, "Last") == "Failed 5 minutes ago: what happened"
    assert following in text_of(lines, "Next")
    assert todo in text_of(lines, "To do")
    assert len(lines) <= 12


def test_what_was_changed_since_is_not_advised_again() -> None:
    edited = account(
        last_outcome=OutcomeKind.FAILED, last_error="Rejected", last_at=NOW - timedelta(days=2)
    )
    assert "To do" not in dict(diagnosis(edited, [], NOW))


def test_a_source_that_has_moved() -> None:
    moved = account(source_memory={"moved_to": "mastodon:alice@new.example"})
    assert text_of(diagnosis(moved, [], NOW), "Moved") == (
        "`lastword accounts edit alice --source mastodon:alice@new.example`"
    )
    assert "Moved" not in dict(diagnosis(account(source_memory={"moved_to": 5}), [], NOW))


@pytest.mark.parametrize(
    ("carrier", "words"),
    [
        ("pep", "where their client shows activities; with mod_shared_status"),
        ("pep+presence", "between runs contacts see it where"),
        ("presence", "it is gone between runs"),
        ("shared_status", None),
    ],
)
def test_what_would_better_it(carrier: str, words: str | None) -> None:
    shown = account(published_status="Hi", published_at=NOW, last_carrier=carrier)
    better = dict(diagnosis(shown, [], NOW)).get("Better", "")
    assert words in better if words else not better
