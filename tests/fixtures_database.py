"""Databases for tests: fresh ones on SQLite and on a private PostgreSQL; and a private Redis."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from demo.postgresql import NotInstalled, PostgreSQL, new_database
from demo.private_redis import private_redis
from models import schema
from models.database import Database

REDIS_PASSWORD = "canary-of-redis"


def not_installed(error: NotInstalled) -> None:
    """Skip a test; but where all must be run, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql_socket() -> Iterator[Path]:
    """The socket directory of a PostgreSQL of our own, gone when the tests end."""
    try:
        with PostgreSQL() as server:
            yield server.socket
    except NotInstalled as error:
        not_installed(error)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis of our own, with a password in it; gone when the tests end."""
    try:
        with private_redis(password=REDIS_PASSWORD) as url:
            yield url
    except NotInstalled as error:
        not_installed(error)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/lastword.db"


@pytest.fixture
def postgresql_url(postgresql_socket: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with new_database(postgresql_socket) as url:
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
    with new_database(request.getfixturevalue("postgresql_socket")) as url:
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
