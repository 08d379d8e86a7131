"""Backups of PostgreSQL, by its own programs: pg_dump reads one moment while others write."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text
from sqlmodel import SQLModel

from models.backup_file import Contents, appearing
from models.database import Database
from models.errors import DatabaseTrouble

LOCK = "10s"
"""How long a restore waits for others to let go of a table."""

_OWN = {*SQLModel.metadata.tables, "alembic_version"}
_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
_FUNCTIONS = text(
    "SELECT oid::regprocedure::text FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'lastword\\_%'"
)
_COPY = re.compile(r"^COPY \S+ \((.*?)\) FROM stdin;\n(.*?)^\\\.$", re.DOTALL | re.MULTILINE)


async def save(url: URL, file: Path, *, force: bool) -> None:
    """Dump a database as it is at one moment.

    Raises:
        DatabaseTrouble: pg_dump is missing or fails, or the file cannot be made.
    """
    with appearing(file, force=force) as made:
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={made}")
        await _run(url, "pg_dump", *options)


async def look(file: Path) -> Contents:
    """Return what a backup holds.

    Raises:
        DatabaseTrouble: pg_restore is missing, or cannot read it, or it is no backup of ours.
    """
    revision = await _column(file, "alembic_version", "version_num")
    if revision is None:
        raise DatabaseTrouble(f"{file} is a dump of PostgreSQL, but not of Last Word")
    return Contents(revision, await _column(file, "key_check", "canary"))


async def tables(database: Database) -> set[str]:
    """Return the tables that a database has.

    Raises:
        DatabaseTrouble: it cannot be asked.
    """
    async with database.engine.connect() as connection:
        return set(await connection.scalars(_TABLES))


async def put(file: Path, database: Database) -> None:
    """Put a backup in the place of our tables, in one transaction: whole or not at all.

    Raises:
        DatabaseTrouble: there are tables that are not ours, or PostgreSQL refuses.
    """
    there = await tables(database)
    if strangers := there - _OWN:
        raise DatabaseTrouble(
            f"the database has tables that this version of Last Word does not know"
            f" ({', '.join(sorted(strangers))}): restore into an empty one, made by `createdb`"
        )
    with tempfile.TemporaryDirectory(prefix="lastword-restore-") as directory:
        script = Path(directory, "restore.sql")
        await _run(None, "pg_restore", "--no-owner", "--no-privileges", f"--file={script}", file)
        names = ", ".join(f'"{name}"' for name in sorted(there))
        drop = [f"--command=DROP TABLE {names}"] if names else []
        async with database.engine.connect() as connection:  # of triggers, which go with the tables
            functions = (await connection.scalars(_FUNCTIONS)).all()
        drop += [f"--command=DROP FUNCTION {name}" for name in functions]
        options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
        await _run(database.url, "psql", *options, *drop, f"--file={script}", "--output=/dev/null")


async def _column(file: Path, table: str, column: str) -> str | None:
    """Return a column of a table's first row in a dump, or None."""
    said = await _run(None, "pg_restore", "--data-only", f"--table={table}", "--file=-", file)
    if (found := _COPY.search(said)) is None:
        return None
    columns, rows = found[1].split(", "), found[2].splitlines()
    if column not in columns or not rows:
        return None
    return rows[0].split("\t")[columns.index(column)]


async def _run(url: URL | None, program: str, *arguments: str | Path) -> str:
    """Run a program of PostgreSQL's and return what it said."""
    with _password_file(url) as password:
        process = await asyncio.create_subprocess_exec(
            _program(program),
            *arguments,
            env={**os.environ, **password, **(_environment(url) if url else {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        raise DatabaseTrouble(f"{program} failed: {said[0] if said else 'it did not say why'}")
    return out.decode(errors="replace")


def _program(name: str) -> str:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, homes)])
    if found := shutil.which(name, path=path):
        return found
    raise DatabaseTrouble(
        f"{name} is not installed here: install PostgreSQL's client programs"
        " (Debian: postgresql-client), of the server's version or newer"
    )


@contextmanager
def _password_file(url: URL | None) -> Iterator[dict[str, str]]:
    """Give the variable that names a file with the URL's password, for our user only.

    A variable with the password itself could be read in /proc, and in what a crash reports.
    """
    if url is None or not url.password:
        yield {}
        return
    escaped = re.sub(r"[\\:]", r"\\\g<0>", str(url.password))
    with tempfile.NamedTemporaryFile("w", prefix="lastword-", encoding="utf-8") as file:
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield {"PGPASSFILE": file.name}


def _environment(url: URL) -> dict[str, str]:
    """Return what libpq's programs connect by; never arguments, which other users can see."""
    host = url.host or url.query.get("host")
    ssl = url.query.get("ssl")
    values = {
        "PGHOST": host if isinstance(host, str) else None,
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGDATABASE": url.database,
        "PGSSLMODE": {"true": "require", "True": "require"}.get(ssl, ssl)
        if isinstance(ssl, str)
        else None,
        "PGCONNECT_TIMEOUT": "10",
        "PGOPTIONS": f"-c lock_timeout={LOCK}",
    }
    return {name: value for name, value in values.items() if value}
