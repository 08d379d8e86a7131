"""The database's schema: bringing it up to this code, and checking that the two fit.

Alembic is configured here, without a file: the only command that migrates is `lastword init`.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from models import sqlite
from models.database import Database
from models.errors import DatabaseTrouble

MIGRATIONS = Path(__file__).with_name("migrations")

# Any number: the advisory lock that upgrades of one database have in common.
_UPGRADING = 0x6C617374


class Upgraded(StrEnum):
    """What an upgrade did, in words."""

    CREATED = "created"
    UPDATED = "brought up to date"
    NOTHING = "up to date"


async def upgrade(database: Database) -> Upgraded:
    """Bring the database to the newest schema, making the SQLite file where there is none.

    Safe to call from two processes at once: the second waits and finds nothing to do.

    Returns:
        What had to be done.

    Raises:
        DatabaseTrouble: unreachable, locked for long, or newer than this code.
    """
    if database.file:
        create_file(database.file)
    async with _alone(database) as connection:
        return await connection.run_sync(_upgrade)


async def check(database: Database) -> None:
    """Return if the database has exactly the schema of this code.

    Raises:
        DatabaseTrouble: it has none, an older or a newer one, or is unreachable.
    """
    async with database.engine.connect() as connection:
        revision = await connection.run_sync(_revision)
    if revision is None:
        raise DatabaseTrouble("the database has no tables yet: run `lastword init`")
    if revision != head():
        refuse_newer(revision)
        raise DatabaseTrouble(
            "the database is older than this version of Last Word:"
            " run `lastword init` to bring it up to date"
        )


def head() -> str:
    """Return the revision of this code's schema."""
    revision = _scripts().get_current_head()
    if revision is None:  # pragma: no cover: the package carries its revisions
        raise DatabaseTrouble("this installation lacks its migrations: install it again")
    return revision


def refuse_newer(revision: str, what: str = "the database") -> None:
    """Return if this code knows a revision.

    Raises:
        DatabaseTrouble: it does not; the message says that `what` is at it.
    """
    if revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise DatabaseTrouble(
            f"{what} is at revision {revision}, which this version of Last Word does not "
            "know: install the newer version again or restore a backup"
        )


def create_file(file: Path) -> None:
    """Make an empty SQLite file and its directory, for this user only."""
    try:
        sqlite.create_file(file)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseTrouble(
            f"the database {file} cannot be made ({getattr(error, 'strerror', error)}):"
            " give it another place by LASTWORD_DATA_DIR"
        ) from None


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """Give a connection inside a transaction that no other upgrade is in."""
    async with database.engine.connect() as connection:
        if not database.is_sqlite:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
            yield connection
            await connection.commit()
            return
        # A table made anew is dropped under its old name: foreign keys would take along what
        # refers to it. The switch works outside of a transaction only.
        await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        try:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if (await connection.exec_driver_sql("PRAGMA foreign_key_check")).first():
                raise DatabaseTrouble("the upgrade would lose rows: nothing was changed")
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _upgrade(connection: Connection) -> Upgraded:
    before = _revision(connection)
    if before is not None:
        refuse_newer(before)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if before is None:
        return Upgraded.CREATED
    return Upgraded.NOTHING if _revision(connection) == before else Upgraded.UPDATED


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
