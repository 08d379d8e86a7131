"""SQLite: how connections are opened, and what its errors mean to people."""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_SECONDS = 15
"""How long a statement waits for another writer; `?timeout=` in the URL sets another time."""

# WAL lets readers and one writer work at once. With it, NORMAL survives a crash of the process;
# a power cut may lose the last moments, which the next run repairs.
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")


_LOCKED = "is locked by another process: wait for it to finish, or see who has the file open"
_CLOSED = "cannot be opened for writing: this user needs to own it and its directory"

# By SQLite's plain result code; extended ones, as READONLY_DIRECTORY, begin with it.
_WORDS = {
    "BUSY": _LOCKED,
    "LOCKED": _LOCKED,
    "CANTOPEN": _CLOSED,
    "READONLY": _CLOSED,
    "PERM": _CLOSED,
    "AUTH": _CLOSED,
    "NOTADB": "is not a SQLite database: restore it, or set LASTWORD_DATABASE_URL",
    "CORRUPT": "is damaged: restore it from a backup",
    "FULL": "has no room left on its disk: make some",
    "IOERR": "cannot be read or written, its disk fails: look at the system's log",
}


def connect(dialect: Dialect, cargs: list[Any], cparams: dict[str, Any]) -> DBAPIConnection:
    """Open a connection to a file that is there already."""
    uri = f"{Path(cargs[0]).absolute().as_uri()}?mode=rw"
    # aiosqlite leaves a thread behind where opening fails, which then prints its own traceback.
    sqlite3.connect(uri, uri=True).close()
    connection = dialect.connect(uri, **{"timeout": BUSY_SECONDS, **cparams, "uri": True})
    try:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except BaseException:
        connection.close()
        raise
    return connection


def create_file(file: Path) -> None:
    """Make an empty database and its directory, for this user only; what is there stays.

    It appears whole and in WAL mode: of several that switch a new file to it at once, SQLite
    refuses all but one without waiting.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists():
        return
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(name)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with suppress(FileExistsError):
            file.hardlink_to(name)
    finally:
        Path(name).unlink()


def explain(url: URL, error: BaseException) -> str | None:
    """Return what is wrong and what to do, or None where the database is not to blame."""
    if not isinstance(error, sqlite3.Error):
        return None
    file = Path(url.database or "").absolute()
    if str(error).startswith(("no such table", "no such column")):
        return f"the database {file} does not fit this version ({error}): run `lastword init`"
    code = getattr(error, "sqlite_errorname", "SQLITE_ERROR").split("_")[1]
    if code == "CANTOPEN" and _is_missing(file):
        return f"there is no database at {file}: run `lastword init`"
    return f"the database {file} {_WORDS[code]}" if code in _WORDS else None


def _is_missing(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return True
    except OSError:  # it may be there, out of our sight
        return False
    return False
