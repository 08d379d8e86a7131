"""The ledger kept in bounds: what is old is forgotten in small steps, and its size can be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import text
from sqlmodel import col, delete, func, select
from sqlmodel.sql.expression import SelectOfScalar

from models import LedgerEntry, Run
from models.database import Database

STEP = 500
"""Rows forgotten in one transaction: nobody waits long for its end."""
SECONDS = 10.0
"""How long one run forgets at most; what is left is the next one's."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is.

    Attributes:
        entries: outcomes in the ledger.
        runs: runs.
        oldest: when the first of them began (aware); None: there is none.
        bytes: of the whole database.
    """

    entries: int
    runs: int
    oldest: datetime | None
    bytes: int


async def prune(database: Database, keep: timedelta) -> int:
    """Forget outcomes and runs that are older, and return how many rows that were.

    Their age is counted from the run before the newest: a clock that was wrong in one run makes
    it forget nothing. What an account itself remembers of its last outcome stays.

    Args:
        database: ours.
        keep: for how long they are kept.
    """
    until = monotonic() + SECONDS
    async with database.session() as session:
        newest = select(Run.started_at).order_by(col(Run.id).desc()).limit(2)
        starts = (await session.exec(newest)).all()
    if not starts:
        return 0
    before, forgotten = min(starts) - keep, 0
    for table, key, moment in (
        (LedgerEntry, col(LedgerEntry.id), col(LedgerEntry.at)),
        (Run, col(Run.id), col(Run.started_at)),
    ):
        old = select(key).where(moment < before).order_by(moment).limit(STEP)
        while monotonic() < until and (keys := await _read(database, old)):
            async with database.writing() as session:
                await session.exec(delete(table).where(key.in_(keys)))
            forgotten += len(keys)
    return forgotten


async def _read(database: Database, query: SelectOfScalar[int | None]) -> Sequence[int | None]:
    async with database.session() as session:
        return (await session.exec(query)).all()


async def size(database: Database) -> Size:
    """Return how large the ledger is."""
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    of_database = pages if database.is_sqlite else "SELECT pg_database_size(current_database())"
    async with database.session() as session:
        entries = (await session.exec(select(func.count()).select_from(LedgerEntry))).one()
        runs, oldest = (await session.exec(select(func.count(), func.min(Run.started_at)))).one()
        octets = await (await session.connection()).scalar(text(of_database))
    return Size(entries, runs, oldest, octets or 0)
