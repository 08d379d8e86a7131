"""No two runs at once on one database, also when Prefect does not guard it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.database import Database
from models.lock import Lock, Locked, holding

_RUNNING = Lock("run", 0x6C617375)


class RunUnderWay(Locked):
    """Another process has a run under way."""

    def __str__(self) -> str:
        return f"another run is under way{self.by}: wait until it has ended"


@asynccontextmanager
async def run_lock(database: Database) -> AsyncIterator[None]:
    """Hold the one right to run on a database.

    Raises:
        RunUnderWay: another process, or another task of this one, holds it.
        DatabaseTrouble: it cannot be asked for.
    """
    async with holding(database, _RUNNING, RunUnderWay):
        yield
