"""Databases for tests: fresh ones on SQLite and on a private PostgreSQL, started where found."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from models import schema
from models.database import Database

_PROGRAMS = ("initdb", "postgres", "psql")


def _programs() -> dict[str, str] | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, homes)])
    found = {name: shutil.which(name, path=path) for name in _PROGRAMS}
    return {name: where for name, where in found.items() if where} if all(found.values()) else None


def _other_user() -> str | None:
    """Return whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@pytest.fixture(scope="session")
def postgresql_socket() -> Iterator[Path]:
    """The socket directory of a PostgreSQL of our own, gone when the tests end."""
    if (programs := _programs()) is None:
        reason = f"PostgreSQL's programs ({', '.join(_PROGRAMS)}) are not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    user = _other_user()
    # Not pytest's own directory: a socket's path may have 107 bytes, and `user` must get there.
    with tempfile.TemporaryDirectory(prefix="lastword-pg-") as home:
        if user:
            shutil.chown(home, user)
        data = f"{home}/data"
        subprocess.run(  # noqa: S603
            [programs["initdb"], "-D", data, "-U", "lastword", "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
            user=user,
            cwd=home,
        )
        server = [programs["postgres"], "-D", data, "-k", home, "-F", "-c", "listen_addresses="]
        with (
            Path(home, "log").open("wb") as log,
            subprocess.Popen(server, stderr=log, stdout=log, user=user, cwd=home) as process,  # noqa: S603
        ):
            try:
                _await_ready(process, Path(data))
                yield Path(home)
            finally:
                process.terminate()
                process.wait(60)


def _await_ready(process: "subprocess.Popen[bytes]", data: Path) -> None:
    """Wait until the server says so in its pid file, as `pg_ctl start` does."""
    pid_file = data / "postmaster.pid"
    while process.poll() is None:
        if pid_file.exists() and pid_file.read_text().rstrip().endswith("ready"):
            return
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError((data.parent / "log").read_text())


def _psql(socket: Path, command: str) -> None:
    programs = _programs() or {}
    subprocess.run(  # noqa: S603
        [programs["psql"], "-h", str(socket), "-U", "lastword", "-d", "postgres", "-c", command],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/lastword.db"


@contextmanager
def _new_database(postgresql_socket: Path) -> Iterator[str]:
    name = f"t{uuid4().hex}"
    _psql(postgresql_socket, f"CREATE DATABASE {name}")
    yield f"postgresql://lastword@/{name}?host={postgresql_socket}"
    _psql(postgresql_socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgresql_socket: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with _new_database(postgresql_socket) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def other_database_url(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of another empty database, of the same kind."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/other/lastword.db"
        return
    with _new_database(request.getfixturevalue("postgresql_socket")) as url:
        yield url


@pytest.fixture
async def empty_database(database_url: str) -> AsyncIterator[Database]:
    """A database without schema."""
    database = Database(database_url)
    yield database
    await database.dispose()


@pytest.fixture
async def database(empty_database: Database) -> Database:
    """A database at the newest schema, once on SQLite and once on PostgreSQL."""
    await schema.upgrade(empty_database)
    return empty_database
