"""The judges of `make chaos` and `make soak` see what is wrong; the two themselves take minutes."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import islice
from random import Random

import pytest
from sqlalchemy import text

from bench.chaos import judging
from bench.chaos.crowd import POISONS, Someone, crowd, healthy
from bench.chaos.faults import FAULTS, dice
from bench.chaos.telling import Done
from bench.chaos.witnessed import Tried
from bench.soak.footprint import growths
from demo.contact import Seen
from models import Account, LedgerEntry, OutcomeKind, Run, schema
from models.database import Database
from models.types import now

PUBLISHED, FAILED = OutcomeKind.PUBLISHED, OutcomeKind.FAILED


@pytest.fixture
async def chaotic(postgresql_url: str) -> AsyncIterator[Database]:
    """A database with two accounts, and a run over both that adds up."""
    async with Database.open(postgresql_url, check=False) as database:
        await schema.upgrade(database)
        async with database.writing() as session:
            for name in ("alice", "bob"):
                session.add(Account(name=name, source="x:a", jid=f"{name}@chat.example"))
            session.add(_run())
            await session.flush()
            session.add_all([_entry(1, PUBLISHED), _entry(2, FAILED)])
        yield database


def _run(began: datetime | None = None, **values: object) -> Run:
    began = began or now() - timedelta(minutes=2)
    counts = {"due": 2, "published": 1, "failed": 1, "state": "Degraded"}
    ended = began + timedelta(minutes=1)
    return Run.model_validate(
        {"which": "due", "started_at": began, "ended_at": ended, **counts, **values}
    )


def _entry(account: int, kind: OutcomeKind) -> LedgerEntry:
    return LedgerEntry(run_id=1, account_id=account, kind=kind)


async def test_a_ledger_that_adds_up(chaotic: Database) -> None:
    assert await judging.troubles_of_ledger(chaotic, []) == []


@pytest.mark.parametrize(
    ("sabotage", "trouble"),
    [
        ("UPDATE run SET due = 3", "run 1: 3 were due, 2 have an outcome"),
        ("DELETE FROM ledger WHERE account_id = 2", "run 1: 1 Failed, 0 of them in the ledger"),
        ("UPDATE run SET ended_at = NULL", "run 1 was never closed"),
        ("ALTER TABLE ledger DROP CONSTRAINT uq_ledger_run_id_account_id", "no constraint keeps"),
        ("UPDATE run SET due = 1, published = 0", "run 1: 2 outcomes of 1 accounts"),
    ],
)
async def test_a_ledger_that_does_not(chaotic: Database, sabotage: str, trouble: str) -> None:
    async with chaotic.writing() as session:
        await (await session.connection()).execute(text(sabotage))
    assert trouble in "\n".join(await judging.troubles_of_ledger(chaotic, []))


async def test_a_database_that_was_taken_away(chaotic: Database) -> None:
    async with chaotic.writing() as session:
        run = await session.get_one(Run, 1)
        run.due, run.message = 3, "the database failed (1 Published, 1 Failed, 1 without outcome)"
    began = run.started_at.timestamp()
    away = Done("restart: PostgreSQL", began + 10, began + 12)
    assert await judging.troubles_of_ledger(chaotic, [away]) == []
    assert await judging.troubles_of_ledger(chaotic, []) != []


async def test_two_runs_at_once(chaotic: Database) -> None:
    async with chaotic.writing() as session:
        session.add(_run(now() - timedelta(seconds=90), published=0, failed=0, due=0))
    assert await judging.troubles_of_ledger(chaotic, []) == ["run 2 began before run 1 had ended"]


def test_refused_passwords_that_were_tried_again() -> None:
    people = [Someone("alice", 0, "login", "password"), Someone("bob", 0)]
    once = [Tried("alice", 100.0, accepted=False)]
    twice = [*once, Tried("alice", 140.0, accepted=False)]
    killed = [Done("kill -9: the process of a run", 100.2, 100.2)]
    long_ago = [Done("kill -9: the process of a run", 50.0, 50.0)]
    assert judging.troubles_of_logins(people, once, []) == []
    assert judging.troubles_of_logins(people, twice, killed) == []
    assert judging.troubles_of_logins(people, twice, long_ago) != []
    thrice = [*twice, Tried("alice", 141.0, accepted=False)]
    assert judging.troubles_of_logins(people, thrice, killed) != []
    assert judging.troubles_of_logins(people, [], []) != []


def test_a_view_that_is_not_right() -> None:
    alice, ill = Someone("alice", 0, posts=2), Someone("ill", 0, poison="gone")
    right = {"alice": Seen(activity=alice.status), "ill": Seen()}
    assert judging.troubles_of_view([alice, ill], right) == []
    old = Someone("alice", 0, posts=1).status
    assert judging.troubles_of_view([alice, ill], right | {"alice": Seen(activity=old)}) != []
    assert judging.troubles_of_view([alice, ill], right | {"ill": Seen(activity="words")}) != []


def test_a_seed_decides_who_is_what_and_what_goes_wrong() -> None:
    people, again = (crowd(1000, 5, Random("1")) for _ in range(2))  # noqa: S311
    assert people == again
    assert {person.poison for person in people} == {"", *POISONS}
    assert len(healthy(people)) == 950
    first, second = ([it[:2] for it in islice(dice("1"), 12)] for _ in range(2))
    assert first == second
    assert {fault for _, fault in first} == set(FAULTS)


def test_what_grows_is_told_from_what_moves() -> None:
    cycles = list(range(10, 1001, 10))
    seen = [
        {"open files": 20 + number // 500, "rows of run": 48 + number % 3, "memory": 1e8}
        for number in cycles
    ]
    flat = {it.what: it.is_flat for it in growths(cycles, seen)}
    assert flat == {"open files": False, "rows of run": True, "memory": True}
