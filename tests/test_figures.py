"""What benches find, in its one shape: an exit code, a table, a file that can be read again."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures import (
    Criterion,
    Figures,
    Plot,
    Row,
    Table,
    add_options,
    finish,
    load,
)


def _figures(*criteria: Criterion) -> Figures:
    rows = [Row("bare loop", [9.5, 800]), Row("flow", [12.25, None])]
    table = Table("side", ["wall, s", "statuses"], rows, [Plot("wall, s", ["wall, s"])])
    return Figures("sides", "Which is faster?", "By turns.", [table], list(criteria), ["A note."])


def _told(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("figure", "limit", "at_least", "held"),
    [
        (1.6, 1.6, False, True),
        (1.61, 1.6, False, False),
        (20, 20, True, True),
        (19.9, 20, True, False),
        (None, 0, False, False),
    ],
)
def test_a_criterion_holds_up_to_its_limit(
    figure: float | None, limit: float, at_least: bool, held: bool
) -> None:
    assert Criterion("of all", figure, limit, at_least=at_least).held is held


def test_a_criterion_is_told_with_figure_and_limit() -> None:
    assert str(Criterion("wall", 1.234, 1.6, "times")) == "wall: 1.23 times, at most 1.6 times"
    assert str(Criterion("share", 0.4, 0.5, "%")) == "share: 40.0%, at most 50%"
    assert str(Criterion("CPU", None, 5, at_least=True)) == "CPU: not measured, at least 5"


def test_what_does_not_hold_gives_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Criterion("the good one", 1, 2), Criterion("the bad one", 3, 2)
    assert finish(_figures(good), _told()) == 0
    assert finish(_figures(good, bad), _told()) == 1
    printed = capsys.readouterr().out
    assert "Not good: the bad one: 3, at most 2" in printed
    assert "Not good: the good one" not in printed


def test_it_is_printed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    finish(_figures(), _told())
    printed = capsys.readouterr().out
    for words in ("Which is faster?", "By turns.", "wall, s", "bare loop", "12.2", "A note."):
        assert words in printed


def test_saved_it_is_read_again_as_it_was_with_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["sides", "--rounds", "1", "--save", "docs", "--json"])
    figures = _figures(Criterion("of all", 1, 2, "s"))
    finish(figures, _told("--json", "--save", str(tmp_path / "new")))
    saved = (tmp_path / "new" / "sides.json").read_text("utf-8")
    assert capsys.readouterr().out == saved
    assert load(saved) == replace(figures, command='make bench NAME=sides ARGS="--rounds 1"')
    assert json.loads(saved)["criteria"][0]["held"] is True
    assert figures.circumstances.versions["prefect"]


def test_a_row_has_a_value_for_each_column() -> None:
    with pytest.raises(ValueError, match="flow"):
        Table("side", ["wall, s", "CPU, s"], [Row("flow", [1.0])])
