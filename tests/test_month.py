"""Turns over days and weeks, in a clock held in hand; `make month` is the same for 800 accounts."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from bench.hearing import Operator
from bench.month import Month, live
from bench.turns import Turn, troubles_of
from bench.world import KINDS, START, Life, lives
from lastword.health import EVERY

FAILING = ("down", "dead", "refused", "wrong", "gone", "surprising", "paused")


@pytest.fixture(autouse=True)
def calm(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "lastword")


async def _live(directory: Path, people: list[Life], days: float) -> tuple[Month, Operator]:
    operator = Operator(sum(not life.is_paused for life in people))
    return await live(directory, people, days, operator.listen), operator


@pytest.mark.timeout(300)
async def test_thirty_days_of_what_fails(tmp_path: Path) -> None:
    month, operator = await _live(tmp_path, lives(len(FAILING), FAILING), 30)
    assert month.troubles(START + timedelta(days=30)) == []
    errors = {turn.error for turns in month.turns.values() for turn in turns}
    assert errors >= {"Transient", "LoginRefused", "Rejected", "Gone", "Defect", None}
    assert {turns[-1].error for name, turns in month.turns.items() if "down" in name} == {None}
    assert operator.troubles() == []


@pytest.mark.timeout(300)
async def test_a_day_of_everybody(tmp_path: Path) -> None:
    month, operator = await _live(tmp_path, lives(12, tuple(KINDS)), 1.2)
    assert month.troubles(START + timedelta(days=1.2)) == []
    assert operator.troubles() == []


def _turn(runs: float, error: str | None = None) -> Turn:
    return Turn(START + runs * EVERY, "Failed" if error else "Unchanged", error, was_tried=True)


LIFE = Life("a", "well", "a.example", 5)
NO_SLEEP = (START - 2 * EVERY, START - EVERY)


@pytest.mark.parametrize(
    ("turns", "trouble"),
    [
        ([], "never had a turn"),
        ([_turn(0), _turn(3)], "left alone for"),
        ([_turn(0, "Transient"), _turn(1, "Transient"), _turn(2)], "was tried after"),
        ([_turn(0, "LoginRefused"), _turn(90)], "before its owner acted"),
        ([_turn(0, "Gone"), _turn(47)], "was tried after"),
        ([_turn(0)], "was lost"),
    ],
)
def test_the_judge_sees_what_is_wrong(turns: list[Turn], trouble: str) -> None:
    ends = (turns[-1].moment if len(turns) > 1 else START) + timedelta(hours=30 * (len(turns) < 2))
    assert any(trouble in it for it in troubles_of(LIFE, turns, ends=ends, asleep=NO_SLEEP))
