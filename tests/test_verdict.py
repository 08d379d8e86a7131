"""A run's state is chosen on purpose, and its summary adds up."""

import pytest

from lastword.runs import Failure, Tally
from lastword.summary import summary
from lastword.verdict import Verdict, verdict
from models import OutcomeKind as Kind


@pytest.mark.parametrize(
    ("due", "counts", "state"),
    [
        (0, {}, "Completed"),
        (10, {Kind.PUBLISHED: 4, Kind.UNCHANGED: 5, Kind.DEFERRED: 1}, "Completed"),
        (10, {Kind.UNCHANGED: 8, Kind.FAILED: 2}, "Degraded"),
        (10, {Kind.UNCHANGED: 7, Kind.FAILED: 3}, "Failed"),
        # Two accounts without any outcome count as failed: their tasks died.
        (10, {Kind.UNCHANGED: 8}, "Degraded"),
        (1, {Kind.FAILED: 1}, "Failed"),
    ],
)
def test_state(due: int, counts: dict[Kind, int], state: str) -> None:
    assert verdict(Tally(due, counts), threshold=0.2).state == state


def test_trouble_fails_the_run_whatever_the_counts() -> None:
    ended = Tally(2, {Kind.PUBLISHED: 2})
    assert verdict(ended, threshold=0.2, trouble="the disk is full") == Verdict(
        "Failed", "the disk is full (2 Published)"
    )


def test_the_message_names_every_count() -> None:
    ended = Tally(5, {Kind.PUBLISHED: 1, Kind.UNCHANGED: 2, Kind.FAILED: 1})
    message = "1 Published, 2 Unchanged, 1 Failed, 1 without outcome"
    assert message in verdict(ended, threshold=0.5).message


def test_summary_shows_counts_and_where_prefect_differs() -> None:
    ended = Tally(3, {Kind.PUBLISHED: 2, Kind.FAILED: 1}, [Failure("bob", "Gone", "gone")])
    page = summary(ended, Verdict("Degraded", "2 Published, 1 Failed"), {"Published": 1}, 1.25)
    assert page.startswith("# Degraded")
    assert "3 accounts in 1.2 s" in page
    assert "| Published | 2 |" in page
    assert "- Published: 2 in the ledger, 1 in Prefect" in page
    assert "- Failed: 1 in the ledger, 0 in Prefect" in page


def test_summary_is_silent_where_prefect_agrees() -> None:
    ended = Tally(1, {Kind.UNCHANGED: 1})
    page = summary(ended, Verdict("Completed", "1 Unchanged"), {"Unchanged": 1}, 0.1)
    assert "differ" not in page
    assert "1 account in" in page
