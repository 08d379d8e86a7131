"""The run in Prefect's UI: it adds up, shows what changed, and is of a bounded size."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastword import runs
from lastword.changes import Change, changes_in
from lastword.chart import WIDTH, chart
from lastword.failure_table import ROWS, failure_table
from lastword.pace import HostPace, Pace, slowest
from lastword.runs import Failure, Tally, Which
from lastword.summary import Surroundings, summary
from lastword.verdict import Verdict
from models import Account, Health, Run, Shard, ShardState
from models import OutcomeKind as Kind
from models.database import Database
from models.types import now

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def failure(name: str, error: str, hours: int = 1) -> Failure:
    return Failure(name, error, "it failed", NOON - timedelta(hours=hours))


def run(number: int = 0, state: str = "Completed", seconds: float = 9, **counts: Any) -> Run:  # noqa: ANN401
    began = NOON - timedelta(minutes=30 * number)
    due = sum(counts.values())
    return Run(
        which="due",
        started_at=began,
        ended_at=began + timedelta(seconds=seconds),
        state=state,
        due=due,
        **counts,
    )


def test_it_shows_counts_and_where_prefect_differs() -> None:
    ended = Tally(3, {Kind.PUBLISHED: 2, Kind.FAILED: 1}, [failure("bob", "Gone")])
    page = summary(ended, Verdict("Degraded", "2 Published, 1 Failed"), {"Published": 1}, 1.25)
    assert page.startswith("# Degraded")
    assert "3 accounts in 1.2 s" in page
    assert "| Published | 2 |" in page
    assert "- Published: 2 in the ledger, 1 in Prefect" in page
    assert "- Failed: 1 in the ledger, 0 in Prefect" in page


def test_it_is_silent_where_prefect_agrees_and_nothing_is_beside_it() -> None:
    ended = Tally(1, {Kind.UNCHANGED: 1})
    page = summary(ended, Verdict("Completed", "1 Unchanged"), {"Unchanged": 1}, 0.1)
    assert "differ" not in page
    assert "1 account in" in page
    assert "##" not in page


def test_a_run_in_shards_says_how_they_did() -> None:
    made = [
        Shard(run_id=1, number=number, first=1, last=1, due=1, state=state, attempts=attempts)
        for number, (state, attempts) in enumerate(
            [(ShardState.DONE, 1), (ShardState.DONE, 2), (ShardState.GIVEN_UP, 3)], 1
        )
    ]
    made[2].reason = "its process died; 1 of its accounts are without outcome"
    ended = Tally(3, {Kind.UNCHANGED: 2})
    page = summary(ended, Verdict("Failed", "…"), None, 1, Surroundings(shards=made))
    # What Prefect saw is in their flow runs: nothing to compare with.
    assert "differ" not in page
    assert "2 of 3 shards are done." in page
    assert "| 1 |" not in page
    assert "| 2 | done | 2 |" in page
    assert "| 3 | given up | 3 | its process died; 1 of its accounts are without outcome |" in page


def test_what_it_is_seen_beside() -> None:
    around = Surroundings(
        changes=[Change(Health.FAILING, 12, ["bob", "carol"]), Change(Health.OK, 1, ["dave"])],
        slowest=[HostPace("social.example", visits=4, seconds=6, longest=3)],
        recent=[run(0, "Degraded", unchanged=70, failed=10), run(1, unchanged=80)],
    )
    page = summary(Tally(80, {}), Verdict("Degraded", ""), {}, 9, around)
    assert "- Began to fail (12): bob, carol and 10 more" in page
    assert "- Well again (1): dave" in page
    assert "| social.example | 4 | 1.50 s | 3.00 s |" in page
    assert f"03-01 12:00  {'█' * 35}{'✗' * 5}        80      10     9 s" in page


def test_a_chart_shows_the_least_failure_and_never_bursts() -> None:
    lines = chart(
        [
            run(0, "Failed", unchanged=700, deferred=1, failed=99),
            run(1, unchanged=799, failed=1),
            run(2, "Crashed", seconds=4_000, unchanged=800),
            run(3),
        ]
    )
    bars = [line[13 : 13 + WIDTH] for line in lines[1:]]
    assert bars[0] == f"{'█' * 34}░{'✗' * 5}"
    assert bars[1] == f"{'█' * 39}✗"
    assert bars[2:] == [" " * WIDTH] * 2
    assert lines[1].endswith("Failed")
    assert "67 min" in lines[3]
    assert chart([]) == []


def test_the_worst_comes_first() -> None:
    found = [
        failure("gone", "Gone", 99),
        failure("new", "Transient", 1),
        failure("old", "Transient", 50),
        failure("bug", "Defect"),
        failure("zoe", "LoginRefused", 2),
        failure("yan", "Rejected", 1),
    ]
    ranked = sorted(found, key=lambda one: one.rank)
    assert [one.name for one in ranked] == ["zoe", "yan", "bug", "old", "new", "gone"]


def test_the_table_of_failures_is_bounded() -> None:
    table = failure_table([failure(f"p{n}", "Transient", 3) for n in range(5_000)], NOON)
    assert len(table) == ROWS + 1
    assert table[0]["Since"] == "2026-03-01 09:00 UTC (3 hours ago)"
    assert table[-1]["Account"] == f"and {5_000 - ROWS} more"
    assert all(row.keys() == table[0].keys() for row in table)


def test_the_slowest_hosts_also_where_a_visit_failed() -> None:
    pace = Pace()
    with pace.timing("a.example"), pytest.raises(TimeoutError), pace.timing("b.example"):
        raise TimeoutError
    seen = {it.host: it.visits for it in pace.hosts()}
    assert seen == {"a.example": 1, "b.example": 1}
    hosts = [HostPace("a", 9, 9.0, 1.0), HostPace("c", 1, 4.0, 4.0), HostPace("b", 1, 4.0, 4.0)]
    assert [it.host for it in slowest(hosts, 2)] == ["b", "c"]


async def test_what_a_run_changed(database: Database) -> None:
    run_id = await runs.begin(database, Which.DUE, 30, None)
    async with database.writing() as session:
        for number in range(25):
            health = Health.FAILING if number < 12 else Health.OK
            # The last ten have stood as they stand for long.
            since = now() + timedelta(seconds=1) if number < 15 else NOON
            session.add(
                Account(
                    name=f"p{number:02}",
                    source="x:a",
                    jid="a@chat.example",
                    health=health,
                    health_since=since,
                    last_run_id=run_id,
                )
            )
    changes = await changes_in(database, run_id)
    assert [(it.health, it.number, len(it.names)) for it in changes] == [
        (Health.FAILING, 12, 10),
        (Health.OK, 3, 3),
    ]
    assert changes[1].names == ["p12", "p13", "p14"]
