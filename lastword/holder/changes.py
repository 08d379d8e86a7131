"""Notice that the database has changed: at once by PostgreSQL, within half a second on SQLite."""

import asyncio
import logging
from collections.abc import Callable

from asyncpg import InterfaceError, PostgresError  # type: ignore[import-untyped]
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.errors import DatabaseTrouble

CHANNEL = "lastword_hold"
"""Where the triggers of migration 0003 tell it."""
LOOK = 0.5
"""Seconds between two looks at SQLite's counter of changes."""
_AGAIN = 2.0

log = logging.getLogger(__name__)


async def tell_changes(database: Database, changed: Callable[[], None]) -> None:
    """Call `changed` for ever: once at first, after each outage, and when there is a change."""
    follow = _look if database.is_sqlite else _listen
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    while True:
        try:
            async with engine.connect() as connection:
                await follow(connection, changed)
        except (DatabaseTrouble, PostgresError, InterfaceError, OSError) as error:
            log.warning("changes are not seen: %s", error)
        await asyncio.sleep(_AGAIN)


async def _look(connection: AsyncConnection, changed: Callable[[], None]) -> None:
    """Follow SQLite's counter, which costs less than any query: it reads one page at most."""
    before = None
    while True:
        cursor = await connection.exec_driver_sql("PRAGMA data_version")
        if (version := cursor.scalar()) != before:
            before = version
            changed()
        await asyncio.sleep(LOOK)


async def _listen(connection: AsyncConnection, changed: Callable[[], None]) -> None:
    """Listen until the connection is lost."""
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:  # pragma: no cover: it has just been opened
        raise DatabaseTrouble("there is no connection")
    lost = asyncio.Event()

    def told(*_: object) -> None:
        changed()

    raw.add_termination_listener(lambda _: lost.set())
    await raw.add_listener(CHANNEL, told)
    try:
        changed()
        await lost.wait()
    finally:
        if not raw.is_closed():
            await raw.remove_listener(CHANNEL, told)
    await connection.invalidate()  # nobody else is to get it from the pool
    raise DatabaseTrouble("the connection to PostgreSQL was lost")
