"""Causes and standings in our own tables, on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lastword import cause_store
from lastword.cause_facts import Cause, Kind
from models import Account, Health, OutcomeKind, Run
from models.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_causes_are_kept_as_they_are(database: Database) -> None:
    down = Cause(
        key="host-down:chat.example",
        kind=Kind.HOST_DOWN,
        host="chat.example",
        since=NOW,
        told_at=NOW,
        clear_since=NOW + timedelta(hours=1),
        runs=7,
        accounts=frozenset({1, 5, 3}),
        says="chat.example does not answer",
    )
    drift = Cause("drift", Kind.DRIFT, None, NOW + timedelta(days=1))
    await cause_store.keep(database, [drift, down])
    assert await cause_store.open_causes(database) == [down, drift]
    await cause_store.keep(database, [drift])
    assert await cause_store.open_causes(database) == [drift]


async def test_whose_standing_matters(database: Database) -> None:
    async with database.writing() as session:
        run = Run(which="due")
        session.add(run)
        await session.flush()
        common: dict[str, Any] = {"source": "mastodon:a@social.example", "jid": "a@chat.example"}
        met: dict[str, Any] = {"last_run_id": run.id, "last_outcome": OutcomeKind.DEFERRED}
        accounts = [
            Account(name="a-limited", **common, **met, last_host="x.example", due_at=NOW),
            Account(
                name="b-down", **common, **met, last_host="chat.example", last_error="Deferred"
            ),
            Account(name="c-waiting", **common, health=Health.NEEDS_OWNER),
            Account(name="d-known", **common),
            Account(name="e-elsewhere", **common),
            Account(name="f-paused", **common, **met, active=False),
        ]
        session.add_all(accounts)
    assert run.id
    cause = Cause("k", Kind.FAILURES, None, NOW, accounts=frozenset({accounts[3].id or 0}))
    found = {one.name: one for one in await cause_store.standings(database, run.id, [cause])}
    assert sorted(found) == ["a-limited", "b-down", "c-waiting", "d-known"]
    assert [one.in_run for one in found.values()] == [True, True, False, False]
    assert not found["a-limited"].waits_for_host
    assert found["b-down"].waits_for_host
    assert (found["b-down"].source_host, found["b-down"].jid_host) == (
        "social.example",
        "chat.example",
    )
    assert await cause_store.active(database) == 5


async def test_when_runs_were(database: Database) -> None:
    starts = [NOW + timedelta(minutes=minutes) for minutes in (0, 30, 60, 61, 90)]
    async with database.writing() as session:
        for start in starts:
            state = "Crashed" if start == starts[3] else "Completed"
            ended = start + timedelta(seconds=20)
            session.add(Run(which="due", started_at=start, ended_at=ended, state=state))
            await session.flush()
    before = await cause_store.before(database, 5)
    assert [run.started_at for run in before] == starts[3::-1]
    assert cause_store.last_ended(before) == starts[2] + timedelta(seconds=20)
    assert cause_store.spacing(before, timedelta(0)) == timedelta(minutes=30)
    assert cause_store.spacing(before[:1], timedelta(hours=1)) == timedelta(hours=1)
