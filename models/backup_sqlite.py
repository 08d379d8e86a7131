"""Backups of SQLite: a copy made while others write, and putting one in a database's place."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL

from models import sqlite
from models.backup_file import Contents, appearing, sync
from models.errors import DatabaseTrouble
from models.types import now

_BESIDE = ("-wal", "-shm", "-journal")


def save(database: Path, file: Path, *, force: bool) -> None:
    """Copy a database as it is at one moment; writers go on meanwhile (`VACUUM INTO`).

    Raises:
        DatabaseTrouble: the database cannot be read, is damaged, or the file cannot be made.
    """
    with appearing(file, force=force) as made:
        with _plainly(database), closing(_open(database)) as connection:
            connection.execute("VACUUM INTO ?", (str(made),))
        # Of a damaged database some backups look well: told now, not on the day of need.
        with _plainly(database), closing(_open(made)) as connection:
            _check(connection, database)


def look(file: Path) -> Contents:
    """Return what a backup holds.

    Raises:
        DatabaseTrouble: it is damaged, or no backup of ours.
    """
    with _backup(file) as connection:
        _check(connection, file)
        try:
            ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
            canary = connection.execute("SELECT canary FROM key_check").fetchone()
        except (sqlite3.OperationalError, ValueError):
            raise DatabaseTrouble(f"{file} is a SQLite database, but not of Last Word") from None
    return Contents(revision, canary[0] if canary else None)


@contextmanager
def staged(file: Path, database: Path) -> Iterator[Path]:
    """Yield a copy of a backup beside the database, to be made ready there; it does not stay."""
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = tempfile.mkdtemp(prefix=".restore-", dir=database.parent)
    except OSError as error:
        raise DatabaseTrouble(f"{database} cannot be made: {error.strerror}") from None
    try:
        copy = Path(directory) / database.name
        sqlite.create_file(copy)
        with _backup(file) as source, closing(_open(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
        yield copy
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def put(copy: Path, database: Path) -> Path | None:
    """Put a copy that is ready in the database's place, at once.

    Returns:
        Where the database of before is kept, or None where there was none.

    Raises:
        DatabaseTrouble: another process has the database open.
    """
    with closing(_open(copy)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = None
    if database.exists():
        _close_for_others(database)
        kept = database.with_name(f"{database.name}.replaced-{now():%Y%m%dT%H%M%S.%fZ}")
        kept.hardlink_to(database)
    # A write-ahead log belongs to its database: beside the new one, it would destroy it.
    for suffix in _BESIDE:
        left = database.with_name(f"{database.name}{suffix}")
        if kept and left.exists():
            left.rename(kept.with_name(f"{kept.name}{suffix}"))
        left.unlink(missing_ok=True)
    sync(copy)
    copy.replace(database)
    sync(database.parent)
    return kept


def _close_for_others(database: Path) -> None:
    """Fold the write-ahead log into the database, which is refused while others have it open."""
    try:
        with closing(_open(database)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise DatabaseTrouble(
                f"the database {database} is open in another process: stop all that use it first"
            ) from None
    except sqlite3.DatabaseError:
        pass  # damaged: that is why it is restored, and it is kept as it is


def _open(file: Path, options: str = "mode=rw") -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?{options}", uri=True, timeout=1)


def _check(connection: sqlite3.Connection, file: Path) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != ("ok",):
        raise DatabaseTrouble(f"{file} is damaged ({found[0]}): take another")


@contextmanager
def _plainly(file: Path) -> Iterator[None]:
    """Tell SQLite's errors about a database in our words."""
    try:
        yield
    except sqlite3.Error as error:
        words = sqlite.explain(URL.create("sqlite", database=str(file)), error)
        raise DatabaseTrouble(words or f"{file} cannot be used: {error}") from None


@contextmanager
def _backup(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a backup, which nobody writes to."""
    try:
        with closing(_open(file, "mode=ro&immutable=1")) as connection:
            yield connection
    except sqlite3.Error as error:
        raise DatabaseTrouble(f"the backup {file} cannot be used ({error}): take another") from None
