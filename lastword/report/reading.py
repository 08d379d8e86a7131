"""Reads the report's facts from our own tables; their size does not depend on the ledger's."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlmodel import col, func, select

from lastword.advice import advice
from lastword.report.facts import DayFacts, Report, RunFacts, Trouble
from lastword.report.hosts import worst_hosts
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.database import Database

RUNS = 48
"""Runs that are shown one by one: a day of them."""
DAYS = timedelta(days=90)
"""For so long back a day is one bar."""
LATELY = timedelta(days=7)
"""For so long back hosts and failures are looked at: what was before is nobody's work now."""
HOSTS = 10
WAITING = 200
"""Who has more of them has few causes: the page says how many more there are."""
FAILURES = 50


async def report_on(database: Database, now: datetime) -> Report:
    """Return what the report tells.

    Args:
        database: ours.
        now: the present moment (aware).
    """
    runs = await _runs(database, now - DAYS)
    health, paused = await _accounts(database)
    return Report(
        made_at=now,
        runs=runs[-RUNS:],
        days=list(_days(runs)),
        health=health,
        paused=paused,
        hosts=await worst_hosts(database, now - LATELY, HOSTS),
        waiting=await _waiting(database),
        failures=await _failures(database, now - LATELY),
    )


async def _runs(database: Database, since: datetime) -> list[RunFacts]:
    query = (
        select(Run)
        .where(col(Run.started_at) >= since, col(Run.ended_at).is_not(None))
        .order_by(col(Run.started_at), col(Run.id))
    )
    async with database.session() as session:
        return [_run_facts(run) for run in await session.exec(query)]


def _run_facts(run: Run) -> RunFacts:
    took = (run.ended_at or run.started_at) - run.started_at
    return RunFacts(
        started_at=run.started_at,
        state=run.state,
        message=run.message,
        due=run.due,
        counts={kind: getattr(run, kind.lower()) for kind in OutcomeKind},
        # The row of a run that died is closed by the next one.
        seconds=None if run.state == "Crashed" else max(took.total_seconds(), 0),
    )


def _days(runs: Sequence[RunFacts]) -> Iterator[DayFacts]:
    """Give all days from the first run's to the last one's: one without runs is news, too."""
    by_day = {day: list(of_day) for day, of_day in groupby(runs, lambda run: run.started_at.date())}
    day = min(by_day, default=None)
    while day and day <= max(by_day):
        of_day = by_day.get(day, [])
        took = [run.seconds for run in of_day if run.seconds is not None]
        yield DayFacts(
            day=day,
            runs=len(of_day),
            not_completed=sum(run.state in {"Failed", "Crashed"} for run in of_day),
            counts={kind: sum(run.counts[kind] for run in of_day) for kind in OutcomeKind},
            mean=sum(took) / len(took) if took else 0,
            longest=max(took, default=0),
        )
        day += timedelta(days=1)


async def _accounts(database: Database) -> tuple[dict[Health, int], int]:
    active = col(Account.active)
    counted = select(active, Account.health, func.count()).group_by(active, col(Account.health))
    async with database.session() as session:
        rows = (await session.exec(counted)).all()
    number = {health: number for is_active, health, number in rows if is_active}
    paused = sum(number for is_active, _, number in rows if not is_active)
    return {health: number.get(health, 0) for health in Health}, paused


async def _waiting(database: Database) -> list[Trouble]:
    query = (
        select(Account.name, Account.health_since, Account.last_reason, Account.last_error)
        .where(col(Account.active), col(Account.health) == Health.NEEDS_OWNER)
        .order_by(col(Account.health_since).desc(), Account.name)
        .limit(WAITING)
    )
    async with database.session() as session:
        return [
            Trouble(name, since, reason or "", advice(error, name))
            for name, since, reason, error in await session.exec(query)
        ]


async def _failures(database: Database, since: datetime) -> list[Trouble]:
    query = (
        select(Account.name, LedgerEntry.at, LedgerEntry.reason, LedgerEntry.error)
        .join(Account, col(Account.id) == LedgerEntry.account_id)
        .where(col(LedgerEntry.at) >= since, col(LedgerEntry.kind) == OutcomeKind.FAILED)
        .order_by(col(LedgerEntry.at).desc(), col(LedgerEntry.id).desc())
        .limit(FAILURES)
    )
    async with database.session() as session:
        return [
            Trouble(name, at, reason, advice(error, name))
            for name, at, reason, error in await session.exec(query)
        ]
