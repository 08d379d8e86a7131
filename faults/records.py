"""Our own tables, looked at from outside while runs go on, and after they were killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from sqlalchemy import text
from sqlmodel import col, func, select

from models import Account, LedgerEntry, Run
from models.database import Database


class Ended(NamedTuple):
    """How an account ended in its last run."""

    outcome: str | None
    error: str | None
    reason: str


class Records:
    """One installation's tables.

    Args:
        database: they are in.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator[Self]:
        """Give the tables of a database for the length of the block."""
        async with Database.open(url) as database:
            yield cls(database)

    async def newest(self) -> Run | None:
        """Return the newest run."""
        async with self.database.session() as session:
            return (await session.exec(select(Run).order_by(col(Run.id).desc()))).first()

    async def done_since(self, run_id: int) -> int:
        """Return how many accounts have an outcome of a later run."""
        query = select(func.count()).select_from(Account).where(col(Account.last_run_id) > run_id)
        async with self.database.session() as session:
            return (await session.exec(query)).one()

    async def accounts(self) -> dict[str, Ended]:
        """Return how each account ended in its last run, by name."""
        query = select(Account.name, Account.last_outcome, Account.last_error, Account.last_reason)
        async with self.database.session() as session:
            rows = (await session.exec(query)).all()
        return {
            name: Ended(kind and str(kind), error, reason or "")
            for name, kind, error, reason in rows
        }

    async def troubles(self) -> list[str]:
        """Return what is wrong with the tables, as the database itself and our rules have it."""
        found = await self._damage()
        twice = (
            select(LedgerEntry.run_id, LedgerEntry.account_id)
            .group_by(col(LedgerEntry.run_id), col(LedgerEntry.account_id))
            .having(func.count() > 1)
        )
        async with self.database.session() as session:
            for run_id, account_id in await session.exec(twice):
                found.append(f"account {account_id} has two outcomes for run {run_id}")
            newest = (await session.exec(select(func.max(Run.id)))).one() or 0
            unfinished = select(Run.id).where(col(Run.ended_at).is_(None), col(Run.id) < newest)
            found += [f"run {it} was never closed" for it in await session.exec(unfinished)]
        return found

    async def _damage(self) -> list[str]:
        async with self.database.session() as session:
            connection = await session.connection()
            if self.database.is_sqlite:
                said = (await connection.execute(text("PRAGMA integrity_check"))).scalars().all()
                broken = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
                return [*(it for it in said if it != "ok"), *map(str, broken)]
            # What the server's own checker of B-trees finds, it raises.
            await connection.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
            await connection.execute(
                text(
                    "SELECT bt_index_check(pg_class.oid, true) FROM pg_class"
                    " JOIN pg_am ON pg_am.oid = relam JOIN pg_namespace n ON n.oid = relnamespace"
                    " WHERE amname = 'btree' AND relkind = 'i' AND nspname = 'public'"
                )
            )
            for table in (Account, LedgerEntry, Run):
                (await session.exec(select(table))).all()
            await session.rollback()
        return []
