"""The sizing table: measured figures times accounts, and nothing that no bench has found."""

import pytest

from bench.figures import Figures, Row, Table, written
from bench.page import ROOT, saved
from bench.sizing import BEGINS, ENDS, Costs, sizes, with_sizes

OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
SIDES = Figures(
    name="sides",
    question="?",
    how="",
    tables=[
        Table("way", ["done"], [Row("flow", [800])]),
        Table(
            "run of the flow",
            ["CPU, s", "Prefect, CPU s"],
            [Row("by login, 5 % changed", [8, 16])],
        ),
    ],
)
COLUMNS = ["recorded", "recorded, a second", "Redis at most, MB"]
BROKER = Figures(
    name="broker",
    question="?",
    how="",
    tables=[
        Table(
            "burst",
            COLUMNS,
            [
                Row("single: 1,400 task runs", [1_400, 100, None]),
                Row("single: 10,000 task runs", [6_000, 50, None]),
                Row("cluster: 10,000 task runs", [10_000, 80, 150]),
            ],
        )
    ],
)


def costs() -> Costs:
    found = Costs.of([SIDES, BROKER], OPERATING)
    assert found
    return found


def test_each_cost_is_of_a_bench() -> None:
    found = costs()
    assert (found.our_cpu, found.prefects_cpu) == (0.01, 0.02)
    assert (found.single, found.cluster, found.redis) == (100, 80, 15_000)
    # 15.2 KB of events and 5.0 KB of records, as docs/operating.md has them.
    assert 15_000 < found.task_run < 30_000
    assert 0 < found.ledger < 10_000
    assert Costs.of([SIDES], OPERATING) is None


def test_what_a_million_need() -> None:
    table = sizes(costs())
    rows = {row.label: dict(zip(table.columns, row.values, strict=True)) for row in table.rows}
    assert list(rows)[:4] == [f"{n}, one each" for n in ("800", "10,000", "100,000", "1,000,000")]
    each, shared = rows["1,000,000, one each"], rows["1,000,000, 100"]
    assert each["shards"] == shared["shards"] == 500
    assert each["worker cores"] == shared["worker cores"] == 12  # 10,000 s of CPU in 900 s
    assert written(each["messages a second"]) == "1,111"
    assert (each["server cores"], shared["server cores"]) == (23, 1)
    assert (each["Prefect's servers"], shared["Prefect's servers"]) == (14, 1)
    assert each["Redis, GB"] == 15
    assert rows["800, one each"]["recorded after, s"] == 8


def test_it_stands_between_its_marks() -> None:
    page = f"Before\n{BEGINS}\nold\n{ENDS}\nafter"
    told = with_sizes(page, [SIDES, BROKER], OPERATING)
    assert told.startswith(f"Before\n{BEGINS}\n| accounts, and how many share")
    assert told.endswith(f"{ENDS}\nafter")
    assert "old" not in told
    assert with_sizes(told, [SIDES, BROKER], OPERATING) == told
    assert "Not measured yet" in with_sizes(page, [], OPERATING)
    with pytest.raises(ValueError, match="has no"):
        with_sizes("no marks", [], OPERATING)


def test_what_the_repository_shows_is_what_was_measured() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    assert with_sizes(page, saved(ROOT / "docs"), OPERATING) == page
