"""docs/performance.md and the README's figures: made of what the benches left, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures import Criterion, Figures, Plot, Row, Table, as_json
from bench.page import PAGE, ROOT, page, pictures, saved
from bench.readme import with_figures

_SIDES = Figures(
    name="sides",
    question="What does it cost, in all?",
    how="By turns.",
    tables=[
        Table(
            "way",
            ["done", "wall, s"],
            [Row("one after another", [800, 281.4]), Row("flow", [800, 12.34])],
            [Plot("wall, s", ["wall, s"])],
        ),
        Table(
            "run of the flow",
            ["wall, s"],
            [Row("by login, 5 % changed", [4.2]), Row("by operator, all changed", [3.1])],
        ),
    ],
    criteria=[Criterion("flow to bare loop", 1.4, 1.6), Criterion("the other", 3, 2)],
    notes=["One thing to know."],
    command="make bench NAME=sides",
)
_SCALE = Figures(
    name="scale",
    question="Does it stay flat?",
    how="With more and more.",
    tables=[
        Table(
            "accounts",
            ["CPU, ms", "memory, MB"],
            [Row("100", [7.5, None]), Row("10,000", [7.0, 320])],
            [Plot("CPU for an account, ms", ["CPU, ms"], "lines")],
        )
    ],
    command="make scale",
)


def test_the_page_tells_what_holds_and_by_which_command() -> None:
    told = page([_SIDES, _SCALE])
    assert "| flow to bare loop | 1.40 | at most 1.6 | [holds](#what-does-it-cost-in-all) |" in told
    assert "| the other | 3 | at most 2 | [**does not hold**](#what-does-it-cost-in-all) |" in told
    assert "## What does it cost, in all?" in told
    assert "| one after another | 800 | 281 |" in told
    assert "![wall, s](performance/sides-1-1.svg)" in told
    assert "- One thing to know." in told
    assert "`make bench NAME=sides`, " in told
    assert "`make scale`, " in told
    assert "| 100 | 7.50 |  |" in told


def test_figures_of_another_machine_say_so() -> None:
    where = replace(_SCALE.circumstances, moment="2020-01-01 00:00", processor="Another One")
    told = page([_SIDES, replace(_SCALE, circumstances=where)])
    assert "`make scale`, 2020-01-01 00:00 UTC, on" in told
    assert told.count("Another One") == 1


def test_a_picture_stands_by_itself() -> None:
    drawn = dict(pictures([_SIDES, _SCALE]))
    assert list(drawn) == ["sides-1-1.svg", "scale-1-1.svg"]
    for svg in drawn.values():
        assert "<script" not in svg
        assert "href=" not in svg
        assert "@import" not in svg
    assert "one after another" in drawn["sides-1-1.svg"]
    assert drawn == dict(pictures([_SIDES, _SCALE]))


def test_the_most_telling_bench_comes_first(tmp_path: Path) -> None:
    (tmp_path / "performance").mkdir()
    for name in ("another", "scale", "sides"):
        file = tmp_path / "performance" / f"{name}.json"
        file.write_text(as_json(replace(_SCALE, name=name)), encoding="utf-8")
    assert [it.name for it in saved(tmp_path)] == ["sides", "scale", "another"]


def test_make_bench_measures_the_whole_page_and_no_more() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"BENCHES := {' '.join(PAGE)}\n" in makefile


def test_what_no_bench_left_is_named(tmp_path: Path) -> None:
    (tmp_path / "performance").mkdir()
    (tmp_path / "performance" / "odd.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"odd\.json is not what a bench leaves"):
        saved(tmp_path)


def test_the_readme_quotes_between_its_marks_only() -> None:
    readme = "Before\n<!-- figures: by bench.page -->\nold\n<!-- end of figures -->\nafter\n"
    told = with_figures(readme, [_SCALE, _SIDES])
    assert told.startswith("Before\n")
    assert told.endswith("\nafter\n")
    assert "old" not in told
    for figure in ("800 accounts", "12.3 s", "281 s", "4.20 s", "3.10 s"):
        assert figure in told
    with pytest.raises(ValueError, match="README"):
        with_figures("no marks", [_SIDES])


def test_what_the_repository_shows_is_what_was_measured() -> None:
    docs = ROOT / "docs"
    found = saved(docs)
    assert (docs / "performance.md").read_text("utf-8") == page(found)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert with_figures(readme, found) == readme
    for name, _ in pictures(found):
        assert (docs / "performance" / name).is_file()
