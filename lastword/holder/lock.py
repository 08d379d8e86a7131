"""No two holders at once on one database: the system lets go of the lock when a process dies."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import text

from models.database import Database
from models.errors import DatabaseTrouble

# Any number that is none of those in `models`: all are per database.
_HOLDING = 0x6C617376
_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
# The server then notices within 90 seconds that our whole machine went away.
_KEEPALIVE = text(
    "SELECT set_config('tcp_keepalives_idle', '60', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


class AnotherHolder(Exception):
    """Another process holds the sessions of this database's accounts."""

    def __init__(self) -> None:
        super().__init__("another holder is at work on this database: one is enough, end it first")


@asynccontextmanager
async def hold_lock(database: Database) -> AsyncIterator[None]:
    """Hold the one right to hold sessions for a database.

    Raises:
        AnotherHolder: another process, or another task of this one, has it.
        DatabaseTrouble: it cannot be asked for.
    """
    lock = _file_lock(database.file) if database.file else _advisory_lock(database)
    async with lock:
        yield


@asynccontextmanager
async def _file_lock(database_file: Path) -> AsyncIterator[None]:
    """Lock a file beside the database. It stays: removing it would race with who opens it."""
    path = database_file.with_name(f"{database_file.name}.hold-lock")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseTrouble(f"the lock file {path} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherHolder from None
        yield
    finally:
        os.close(file)


@asynccontextmanager
async def _advisory_lock(database: Database) -> AsyncIterator[None]:
    """Hold a session-level advisory lock on a connection of its own."""
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(_KEEPALIVE)
        if not await connection.scalar(_TAKE, {"key": _HOLDING}):
            raise AnotherHolder
        try:
            yield
        finally:
            # Where the connection is lost, so is the lock; `heartbeat` sees who took it over.
            with suppress(DatabaseTrouble):
                await connection.execute(_RELEASE, {"key": _HOLDING})
