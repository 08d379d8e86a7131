"""The ledger stays bounded: old outcomes go in small steps, and nothing else does."""

from datetime import timedelta

import pytest
from sqlmodel import select

from lastword import ledger
from models import Account, LedgerEntry, OutcomeKind, Run
from models.database import Database
from models.types import now

KEEP = timedelta(days=90)


async def _history(database: Database, *days_ago: float) -> None:
    """Add a run with two outcomes for each."""
    async with database.writing() as session:
        people = [
            Account(name=name, source="x:a", jid="a@chat.example", last_reason="what it was")
            for name in ("alice", "bob")
        ]
        session.add_all(people)
        for days in days_ago:
            moment = now() - timedelta(days=days)
            run = Run(which="due", started_at=moment, ended_at=moment)
            session.add(run)
            await session.flush()
            for account in people:
                account.last_run_id = run.id
                session.add(
                    LedgerEntry(
                        run_id=run.id or 0,
                        account_id=account.id or 0,
                        kind=OutcomeKind.PUBLISHED,
                        at=moment,
                    )
                )


async def _left(database: Database) -> tuple[int, int]:
    found = await ledger.size(database)
    return found.runs, found.entries


async def test_what_is_old_is_forgotten_in_small_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "STEP", 3)
    await _history(database, *range(99, 80, -1))
    # 99 to 92 days ago: counted from the run before the newest, 82 days ago.
    assert await ledger.prune(database, timedelta(days=9.5)) == 8 * 3
    assert await _left(database) == (11, 22)
    assert await ledger.prune(database, timedelta(days=9.5)) == 0
    async with database.session() as session:
        reasons = (await session.exec(select(Account.last_reason))).all()
    assert list(reasons) == ["what it was"] * 2


async def test_a_clock_that_was_wrong_once_forgets_nothing(database: Database) -> None:
    await _history(database, 60, 30, 1, 0.1, -4_000)
    assert await ledger.prune(database, KEEP) == 0
    assert await _left(database) == (5, 10)


async def test_nor_does_a_machine_that_was_off_for_long(database: Database) -> None:
    await _history(database, 300, 299, 0)
    assert await ledger.prune(database, KEEP) == 0


async def test_it_takes_its_time_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "SECONDS", 0.0)
    await _history(database, 400, 300, 0, 0)
    assert await ledger.prune(database, KEEP) == 0
    assert await _left(database) == (4, 8)


async def test_its_size(database: Database) -> None:
    empty = await ledger.size(database)
    assert (empty.entries, empty.runs, empty.oldest) == (0, 0, None)
    assert empty.bytes > 10_000
    await _history(database, 2, 1)
    full = await ledger.size(database)
    assert (full.entries, full.runs) == (4, 2)
    assert full.oldest
    assert timedelta(days=2) <= now() - full.oldest < timedelta(days=3)
