"""Exclusive locks on a database: what a lock stands for, no two processes do at once.

The operating system or PostgreSQL lets go when the process dies, however it dies: nothing has
to be cleaned up by hand. Not for a PgBouncer in transaction mode, which shares sessions out.
"""

import fcntl
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from models.database import Database
from models.errors import DatabaseTrouble
from models.types import now


@dataclass(frozen=True, slots=True)
class Lock:
    """What only one may do at a time; one on each database.

    Attributes:
        name: a word for it; beside a SQLite database it is the file `….NAME-lock`.
        key: the number of PostgreSQL's advisory lock, 64 bits; `models.schema` has one, too.
    """

    name: str
    key: int


class Locked(Exception):
    """Another process, or another task of this one, has the lock.

    Args:
        holder: what it says of itself; empty where that is not known.

    Attributes:
        since: when it took the lock, where that is known.
        pid: its process id on its own machine, where that is known.
    """

    def __init__(self, holder: str = "") -> None:
        known = re.search(r"pid=(\d+) since=(\S+)", holder)
        self.pid = int(known[1]) if known else None
        self.since = datetime.fromisoformat(known[2]) if known else None
        super().__init__(holder)

    def __str__(self) -> str:
        return f"it is locked{self.by}"

    @property
    def by(self) -> str:
        """Since when and by which process, to follow other words; empty where it is not known."""
        process = f" (process {self.pid})" if self.pid else ""
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{since}{process}"


@asynccontextmanager
async def holding(
    database: Database, lock: Lock, refusal: type[Locked] = Locked
) -> AsyncIterator[None]:
    """Hold a lock for the length of the block.

    Args:
        database: ours.
        lock: which.
        refusal: what to raise where it is taken.

    Raises:
        Locked: another process, or another task of this one, holds it; of the kind asked for.
        DatabaseTrouble: it cannot be asked for.
    """
    held = _file_lock if database.is_sqlite else _advisory_lock
    async with held(database, lock, refusal):
        yield


async def is_held(database: Database, lock: Lock) -> bool:
    """Tell whether anybody holds a lock at this moment: a process that lives and is at work.

    Raises:
        DatabaseTrouble: it cannot be asked for.
    """
    if database.is_sqlite:
        return _is_file_held(_file_of(database, lock))
    async with database.engine.connect() as connection:
        return await connection.scalar(_WHO, _halves(lock)) is not None


def _holder() -> str:
    """Describe this process within the 63 bytes of a PostgreSQL application name."""
    return f"lastword pid={os.getpid()} since={now().astimezone(UTC):%Y-%m-%dT%H:%M:%S+00:00}"


def _file_of(database: Database, lock: Lock) -> Path:
    file = database.file
    if file is None:  # pragma: no cover: asked for SQLite only
        raise AssertionError
    return file.with_name(f"{file.name}.{lock.name}-lock")


@asynccontextmanager
async def _file_lock(database: Database, lock: Lock, refusal: type[Locked]) -> AsyncIterator[None]:
    """Lock a file beside the database. It stays: removing it would race with who opens it."""
    path = _file_of(database, lock)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseTrouble(f"the lock file {path} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal(os.pread(file, 100, 0).decode(errors="replace")) from None
        os.ftruncate(file, 0)
        os.pwrite(file, _holder().encode(), 0)
        yield
    finally:
        os.close(file)


def _is_file_held(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DatabaseTrouble(f"the lock file {path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
_WHO = text(
    "SELECT coalesce(application_name, '') FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND classid = CAST(:high AS oid) AND objid = CAST(:low AS oid)"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# With the keepalives the server notices within 90 seconds that our whole machine went away.
_INTRODUCE = text(
    "SELECT set_config('application_name', :name, false),"
    " set_config('tcp_keepalives_idle', '60', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


def _halves(lock: Lock) -> dict[str, int]:
    """Return a key as `pg_locks` shows it."""
    return {"high": lock.key >> 32 & 0xFFFFFFFF, "low": lock.key & 0xFFFFFFFF}


@asynccontextmanager
async def _advisory_lock(
    database: Database, lock: Lock, refusal: type[Locked]
) -> AsyncIterator[None]:
    """Hold a session-level advisory lock on a connection of its own."""
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(_INTRODUCE, {"name": _holder()})
        if not await connection.scalar(_TAKE, {"key": lock.key}):
            raise refusal(await connection.scalar(_WHO, _halves(lock)) or "")
        try:
            yield
        finally:
            # Where the connection is lost, so is the lock, and the work's end is not changed.
            with suppress(DatabaseTrouble):
                await connection.execute(_RELEASE, {"key": lock.key})
                await connection.exec_driver_sql("RESET application_name")
