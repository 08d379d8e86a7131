"""No two runs at once on one database, also when Prefect does not guard it.

The operating system or PostgreSQL lets go when the process dies, however it dies: nothing has
to be cleaned up by hand. Not for a PgBouncer in transaction mode, which shares sessions out.
"""

import fcntl
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from models.database import Database
from models.errors import DatabaseTrouble
from models.types import now

# Any number that is not the one of `models.schema`: both are per database.
_RUNNING = 0x6C617375


class RunUnderWay(Exception):
    """Another process has a run under way.

    Attributes:
        since: when it took the lock, where that is known.
        pid: its process id on its own machine, where that is known.
    """

    def __init__(self, holder: str) -> None:
        known = re.search(r"pid=(\d+) since=(\S+)", holder)
        self.pid = int(known[1]) if known else None
        self.since = datetime.fromisoformat(known[2]) if known else None
        process = f" (process {self.pid})" if self.pid else ""
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        super().__init__(f"another run is under way{since}{process}: wait until it has ended")


@asynccontextmanager
async def run_lock(database: Database) -> AsyncIterator[None]:
    """Hold the one right to run on a database.

    Raises:
        RunUnderWay: another process, or another task of this one, holds it.
        DatabaseTrouble: it cannot be asked for.
    """
    lock = _file_lock(database.file) if database.file else _advisory_lock(database)
    async with lock:
        yield


def _holder() -> str:
    """Describe this process within the 63 bytes of a PostgreSQL application name."""
    return f"lastword run pid={os.getpid()} since={now().astimezone(UTC):%Y-%m-%dT%H:%M:%S+00:00}"


@asynccontextmanager
async def _file_lock(database_file: Path) -> AsyncIterator[None]:
    """Lock a file beside the database. It stays: removing it would race with who opens it."""
    path = database_file.with_name(f"{database_file.name}.run-lock")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseTrouble(f"the lock file {path} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunUnderWay(os.pread(file, 100, 0).decode(errors="replace")) from None
        os.ftruncate(file, 0)
        os.pwrite(file, _holder().encode(), 0)
        yield
    finally:
        os.close(file)


_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
_WHO = text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = CAST(:key AS oid)"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# With the keepalives the server notices within 90 seconds that our whole machine went away.
_INTRODUCE = text(
    "SELECT set_config('application_name', :name, false),"
    " set_config('tcp_keepalives_idle', '60', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


@asynccontextmanager
async def _advisory_lock(database: Database) -> AsyncIterator[None]:
    """Hold a session-level advisory lock on a connection of its own."""
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(_INTRODUCE, {"name": _holder()})
        if not await connection.scalar(_TAKE, {"key": _RUNNING}):
            holder = await connection.scalar(_WHO, {"key": _RUNNING})
            raise RunUnderWay(holder or "")
        try:
            yield
        finally:
            # Where the connection is lost, so is the lock, and the run's end is not changed.
            with suppress(DatabaseTrouble):
                await connection.execute(_RELEASE, {"key": _RUNNING})
                await connection.exec_driver_sql("RESET application_name")
