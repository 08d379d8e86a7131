"""A run's state is chosen on purpose."""

import pytest

from lastword.runs import Tally
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


def test_trouble_does_not_hide_who_has_no_outcome() -> None:
    ended = Tally(3, {Kind.DEFERRED: 2})
    assert verdict(ended, threshold=0.2, trouble="the database failed") == Verdict(
        "Failed", "the database failed (2 Deferred, 1 without outcome)", adds_up=False
    )
    nobody = verdict(Tally(1, {}), threshold=0.2, trouble="the key is lost")
    assert nobody.message == "the key is lost (1 without outcome)"


def test_the_message_names_every_count() -> None:
    ended = Tally(5, {Kind.PUBLISHED: 1, Kind.UNCHANGED: 2, Kind.FAILED: 1})
    message = "1 Published, 2 Unchanged, 1 Failed, 1 without outcome"
    assert message in verdict(ended, threshold=0.5).message
