"""Backup and restore of our own tables: everything but the key, which is kept apart.

A backup may be older than what was published since. That costs nothing: the next run compares
with what the chat server shows, and finds Unchanged what is there already.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from lastword.sealing import key_id_of
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import backup_postgresql, backup_sqlite, schema
from models.backup_file import Contents, Kind, kind_of
from models.database import Database
from models.errors import DatabaseTrouble
from models.key_check import KeyCheck
from models.run_lock import run_lock
from models.types import now


@dataclass(frozen=True, slots=True)
class Saved:
    """A backup that was made.

    Attributes:
        file: where.
        key_id: the key that its secrets are sealed with, without which they are lost.
    """

    file: Path
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, or would do.

    Attributes:
        revision: the schema of the backup.
        upgraded: whether that had to be brought up to date.
        kept: where the SQLite database of before is, if there was one.
    """

    revision: str
    upgraded: bool
    kept: Path | None = None


async def backup(settings: Settings, target: Path, *, force: bool = False) -> Saved:
    """Save all of our tables as they are at one moment, also while a run is under way.

    Args:
        settings: as a run would read them; the key is not needed.
        target: a file, or a directory to put one in that is named after the moment.
        force: replace a file that is there already.

    Raises:
        DatabaseTrouble: the database cannot be read, or the file cannot be made.
    """
    async with Database.open(settings.database) as database:
        file = _file(target, "db" if database.is_sqlite else "dump", force=force)
        async with database.session() as session:
            check = await session.get(KeyCheck, 1)
        if database.file:
            await asyncio.to_thread(backup_sqlite.save, database.file, file, force=force)
        else:
            await backup_postgresql.save(database.url, file, force=force)
    return Saved(file, key_id_of(check.canary) if check else None)


async def restore(
    settings: Settings, file: Path, *, force: bool = False, dry_run: bool = False
) -> Restored:
    """Put a backup in the place of the database, brought up to this code's schema.

    Everything is checked before anything is replaced: that the backup is whole, not newer than
    this code, and sealed with the key that is here.

    Args:
        settings: where to.
        file: the backup.
        force: replace a database that is there already.
        dry_run: only check.

    Raises:
        DatabaseTrouble: the backup does not fit, or a database is there and `force` is not given.
        KeyTrouble: the key is missing, or another one than the backup's.
        RunUnderWay: a run is.
    """
    async with Database.open(settings.database, check=False) as database:
        kind, here = kind_of(file), Kind.SQLITE if database.is_sqlite else Kind.POSTGRESQL
        if kind is not here:
            raise DatabaseTrouble(
                f"{file} is a backup of {kind}, and the database here is {here}:"
                " set LASTWORD_DATABASE_URL to one of its kind"
            )
        contents = await _look(kind, file)
        schema.refuse_newer(contents.revision, f"the backup {file}")
        if contents.canary is not None:
            Keyring.load(settings).check_canary(contents.canary)
        if not force:
            await _refuse_to_replace(database)
        kept = None
        if database.file:
            kept = await _restore_sqlite(database, database.file, file, dry_run=dry_run)
        elif not dry_run:
            async with run_lock(database):
                await backup_postgresql.put(file, database)
                await schema.upgrade(database)
    return Restored(contents.revision, contents.revision != schema.head(), kept)


def _file(target: Path, suffix: str, *, force: bool) -> Path:
    file = target.absolute()
    if file.is_dir():
        file /= f"lastword-{now():%Y%m%dT%H%M%SZ}.{suffix}"
    if file.exists() and not force:
        raise DatabaseTrouble(f"{file} is there already: `--force` replaces it")
    return file


async def _look(kind: Kind, file: Path) -> Contents:
    if kind is Kind.SQLITE:
        return await asyncio.to_thread(backup_sqlite.look, file)
    return await backup_postgresql.look(file)


async def _refuse_to_replace(database: Database) -> None:
    if database.file:
        if database.file.exists():
            raise DatabaseTrouble(
                f"there is a database already, {database.file}: `--force` puts the backup in its"
                " place, and keeps it beside"
            )
    elif await backup_postgresql.tables(database):
        raise DatabaseTrouble(
            f"the database {database.url.database} has tables already: `--force` replaces them"
        )


async def _restore_sqlite(
    database: Database, place: Path, file: Path, *, dry_run: bool
) -> Path | None:
    """Make a copy ready beside the database, then put it in its place; return what was kept."""
    with backup_sqlite.staged(file, place) as copy:
        async with Database.open(f"sqlite:///{copy}", check=False) as staged:
            await schema.upgrade(staged)
        if dry_run:
            return None
        async with run_lock(database):
            return await asyncio.to_thread(backup_sqlite.put, copy, place)
