"""Causes and facts in our own tables: read for `lastword.causes.judge`, and kept after it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from sqlalchemy import delete, func, or_
from sqlmodel import col, select

from lastword.cause_facts import Cause, Kind, Standing
from lastword.jid import domain_of
from lastword.sources import SOURCES
from models import Account, Health, OpenCause, OutcomeKind, Run
from models.database import Database

_MANY = 500
"""Ids in one query: SQLite takes 32,766, PostgreSQL plans few better than many."""
_LATEST = 12
"""Runs that tell how often there is one."""


async def open_causes(database: Database) -> list[Cause]:
    """Return the causes that are open."""
    async with database.session() as session:
        rows = (await session.exec(select(OpenCause).order_by(col(OpenCause.since)))).all()
    return [
        Cause(**row.model_dump() | {"kind": Kind(row.kind), "accounts": frozenset(row.accounts)})
        for row in rows
    ]


async def keep(database: Database, causes: Collection[Cause]) -> None:
    """Keep exactly these causes as the open ones."""
    rows = [
        OpenCause(**asdict(cause) | {"kind": cause.kind.value, "accounts": sorted(cause.accounts)})
        for cause in causes
    ]
    async with database.writing() as session:
        await session.exec(delete(OpenCause))
        session.add_all(rows)


async def active(database: Database) -> int:
    """Return how many active accounts there are."""
    async with database.session() as session:
        query = select(func.count()).select_from(Account).where(col(Account.active))
        return (await session.exec(query)).one()


async def standings(database: Database, run_id: int, causes: Collection[Cause]) -> list[Standing]:
    """Return how the accounts stand that matter to alerts.

    Those are the run's own, all that wait for their owner, and all that open causes have met.
    """
    met = sorted(frozenset[int]().union(*(cause.accounts for cause in causes)))
    wanted = or_(col(Account.last_run_id) == run_id, col(Account.health) == Health.NEEDS_OWNER)
    found = {one.id: one for one in await _standings(database, run_id, wanted)}
    for start in range(0, len(met), _MANY):
        known = col(Account.id).in_(met[start : start + _MANY])
        found |= {one.id: one for one in await _standings(database, run_id, known)}
    return list(found.values())


async def _standings(database: Database, run_id: int, wanted: object) -> list[Standing]:
    columns = (
        *(Account.id, Account.name, Account.last_run_id, Account.last_outcome),
        *(Account.last_error, Account.last_host, Account.last_reason, Account.due_at),
        *(Account.health, Account.source, Account.jid),
    )
    query = select(*columns).where(col(Account.active), wanted)  # type: ignore[call-overload]
    async with database.session() as session:
        rows = (await session.exec(query)).all()
    # Whom a server serves matters only where a server is in trouble.
    troubled = any(row.last_host for row in rows)
    return [
        Standing(
            id=row.id,
            name=row.name,
            in_run=row.last_run_id == run_id,
            kind=row.last_outcome,
            error=row.last_error,
            host=row.last_host,
            reason=row.last_reason or "",
            is_limited=row.last_outcome is OutcomeKind.DEFERRED and row.due_at is not None,
            health=row.health,
            source_host=_host_of(row.source) if troubled else "",
            jid_host=domain_of(row.jid),
        )
        for row in rows
    ]


def _host_of(source: str) -> str:
    kind, _, handle = source.partition(":")
    try:
        return SOURCES[kind].host(handle)
    except (KeyError, ValueError):
        return ""


async def before(database: Database, run_id: int) -> Sequence[Run]:
    """Return the runs before this one, newest first, those that died among them."""
    async with database.session() as session:
        query = select(Run).where(col(Run.id) < run_id, col(Run.ended_at).is_not(None))
        rows = await session.exec(query.order_by(col(Run.id).desc()).limit(_LATEST))
        return rows.all()


def last_ended(runs: Sequence[Run]) -> datetime | None:
    """Return when the newest of these runs ended that did not die."""
    return next((run.ended_at for run in runs if run.state != "Crashed"), None)


def spacing(runs: Sequence[Run], otherwise: timedelta) -> timedelta:
    """Return the usual time from one run to the next: the middle of these runs' starts.

    Args:
        runs: newest first.
        otherwise: what it is where there are too few.
    """
    starts = [run.started_at for run in runs]
    between = [(late - early).total_seconds() for late, early in pairwise(starts)]
    return timedelta(seconds=max(median(between), 1)) if between else otherwise
