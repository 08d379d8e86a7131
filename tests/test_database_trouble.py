"""Trouble with the database is told in words that say what to do, without its password."""

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import select

from models import Account, schema
from models.database import Database
from models.errors import DatabaseTrouble


def _account(name: str) -> Account:
    return Account(name=name, source="x:alice", jid="alice@chat.example")


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is taken but not listened on: nobody else can answer there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nonsense", "malformed"),
        ("", "malformed"),
        ("postgresql://u:sesame@h:port/d", "malformed"),
        ("mysql://u:sesame@h/d", "begins with mysql: it takes sqlite or postgresql"),
        ("postgresql+psycopg://u:sesame@h/d", "it takes sqlite or postgresql"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(wrong: str, words: str) -> None:
    with pytest.raises(DatabaseTrouble, match=words) as told:
        Database(wrong)
    assert "sesame" not in str(told.value)


async def test_a_value_that_postgresql_cannot_keep_is_told(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await schema.upgrade(database)
    account = _account("alice")
    account.only = "canary " * 200
    with pytest.raises(DatabaseTrouble, match=r"cannot keep a value .*SQLSTATE 22001") as told:
        async with database.session() as session, session.begin():
            session.add(account)
    assert "canary" not in str(told.value)
    await database.dispose()


async def test_a_locked_sqlite_is_told(sqlite_url: str) -> None:
    database = Database(f"{sqlite_url}?timeout=0.1")
    await schema.upgrade(database)
    assert database.file
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseTrouble, match="is locked by another process: wait for it"):
        async with database.session() as session, session.begin():
            session.add(_account("alice"))
    other.close()
    await database.dispose()


@given(content=st.binary(min_size=200).filter(lambda it: not it.startswith(b"SQLite")))
def test_what_is_no_database_is_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("not") / "a.db"
    file.write_bytes(content)

    async def look() -> None:
        database = Database(f"sqlite:///{file}")
        try:
            await schema.check(database)
        finally:
            await database.dispose()

    with pytest.raises(DatabaseTrouble, match="is not a SQLite database"):
        asyncio.run(look())
    assert file.read_bytes() == content


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = Database(f"sqlite:///{tmp_path}/file/lastword.db")
    with pytest.raises(DatabaseTrouble, match=r"cannot be made \(File exists\)"):
        await schema.upgrade(database)


async def test_a_missing_table_is_told(empty_database: Database) -> None:
    if empty_database.file:
        schema.create_file(empty_database.file)
    with pytest.raises(DatabaseTrouble, match=r"does not fit this version.*run `lastword init`"):
        async with empty_database.session() as session:
            await session.exec(select(Account))


async def test_postgresql_that_is_not_there_is_told(unused_port: int) -> None:
    database = Database(f"postgresql://u:sesame@127.0.0.1:{unused_port}/d")
    with pytest.raises(DatabaseTrouble, match=r"PostgreSQL at 127\.0\.0\.1 cannot be re") as told:
        await schema.check(database)
    assert "sesame" not in str(told.value)


async def test_postgresql_that_is_silent_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql://u:sesame@127.0.0.1:{port}/d?timeout=0.2")
        with pytest.raises(DatabaseTrouble, match="does not answer"):
            await schema.check(database)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("&sslmodel=on", "the database URL has a wrong parameter.*sslmodel"),
        ("&timeout=soon", "the database URL has a wrong parameter.*soon"),
    ],
)
async def test_a_wrong_parameter_is_told(postgresql_url: str, more: str, words: str) -> None:
    database = Database(postgresql_url + more)
    with pytest.raises(DatabaseTrouble, match=words):
        await schema.check(database)


async def test_a_missing_postgresql_database_is_told(postgresql_socket: Path) -> None:
    database = Database(f"postgresql://lastword@/nowhere?host={postgresql_socket}")
    with pytest.raises(DatabaseTrouble, match="database nowhere: there is no such database"):
        await schema.check(database)


async def _kill_own_connection(database: Database) -> None:
    async with database.session() as session:
        connection = await session.connection()
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def test_a_lost_connection_is_told_and_the_next_session_works(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with pytest.raises(DatabaseTrouble, match="cannot serve us now"):
        await _kill_own_connection(database)
    await schema.upgrade(database)
    await database.dispose()


async def test_a_connection_that_was_lost_while_idle_costs_nobody_anything(
    postgresql_url: str,
) -> None:
    database, other = Database(postgresql_url), Database(postgresql_url)
    await schema.upgrade(database)
    async with other.session() as session:
        drop = "pid <> pg_backend_pid() AND datname = current_database()"
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {drop}"  # noqa: S608
        connection = await session.connection()
        assert (await connection.execute(text(query))).scalars().all() == [True]
    await asyncio.sleep(0.1)  # until the driver has seen it
    assert await _count(database) == 0
    for one in (database, other):
        await one.dispose()


async def test_a_pool_that_runs_dry_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.POOL_SECONDS", 0.05)
    url = database.url.render_as_string(hide_password=False)
    async with Database.open(url) as small, AsyncExitStack() as stack:
        for _ in range(16):
            session = await stack.enter_async_context(small.session())
            await session.connection()
        with pytest.raises(DatabaseTrouble, match=r"no connection .* became free within 0\.05"):
            await _count(small)


async def _count(database: Database) -> int:
    async with database.session() as session:
        return len((await session.exec(select(Account))).all())
