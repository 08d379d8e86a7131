"""No two holders at once on one database: the system lets go of the lock when a process dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.database import Database
from models.lock import Lock, Locked, holding

_HOLDING = Lock("hold", 0x6C617376)


class AnotherHolder(Locked):
    """Another process holds the sessions of this database's accounts."""

    def __str__(self) -> str:
        return f"another holder is at work on this database{self.by}: one is enough, end it first"


@asynccontextmanager
async def hold_lock(database: Database) -> AsyncIterator[None]:
    """Hold the one right to hold sessions for a database.

    Where the lock is lost with its connection, `heartbeat` sees who took it over.

    Raises:
        AnotherHolder: another process, or another task of this one, has it.
        DatabaseTrouble: it cannot be asked for.
    """
    async with holding(database, _HOLDING, AnotherHolder):
        yield
