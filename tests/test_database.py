"""The database: how it is opened, and that its trouble is told in words."""

import asyncio
import os
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models import Account, KeyCheck, schema
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


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Iterator[Path]:
    return_to = os.umask(0)
    yield tmp_path / "new" / "lastword.db"
    os.umask(return_to)


@pytest.mark.parametrize(
    ("given_url", "driver"),
    [
        ("sqlite:////srv/a.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:////srv/a.db", "sqlite+aiosqlite"),
        ("postgres://u@h/d", "postgresql+asyncpg"),
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg"),
    ],
)
def test_the_async_driver_is_put_in(given_url: str, driver: str) -> None:
    assert Database(given_url).url.drivername == driver


def test_sslmode_is_understood() -> None:
    assert Database("postgresql://u@h/d?sslmode=require").url.query == {"ssl": "require"}


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


def test_no_password_in_the_representation() -> None:
    assert "sesame" not in repr(Database("postgresql://u:sesame@h/d"))


async def test_rows_stay_readable_after_commit_and_session(database: Database) -> None:
    async with database.session() as session:
        account = _account("alice")
        session.add(account)
        await session.commit()
    assert account.name == "alice"
    assert account.created_at.tzinfo is not None


async def test_what_is_not_committed_is_undone(database: Database) -> None:
    async with database.session() as session:
        session.add(_account("alice"))
        await session.flush()
    async with database.session() as session:
        assert (await session.exec(select(Account))).all() == []


async def test_a_broken_constraint_stays_an_integrity_error(database: Database) -> None:
    async with database.session() as session:
        session.add_all([_account("alice"), _account("alice")])
        with pytest.raises(IntegrityError):
            await session.commit()


async def test_many_writers_at_once(database: Database) -> None:
    async def add(number: int) -> None:
        async with database.session() as session, session.begin():
            await session.exec(select(Account))
            session.add(_account(f"a{number}"))

    await asyncio.gather(*(add(number) for number in range(100)))
    async with database.session() as session:
        assert len((await session.exec(select(Account))).all()) == 100


async def test_the_id_of_a_removed_account_is_not_given_again(database: Database) -> None:
    ids = []
    for name in ("alice", "bob"):
        async with database.session() as session, session.begin():
            session.add(account := _account(name))
            await session.flush()
            ids.append(account.id)
            await session.delete(account)
    assert ids[0] != ids[1]


async def test_sqlite_is_for_this_user_only(sqlite_file: Path) -> None:
    database = Database(f"sqlite:///{sqlite_file}")
    await schema.upgrade(database)
    async with database.session() as session:
        session.add(KeyCheck(canary="x"))
        await session.commit()
        assert stat.S_IMODE(sqlite_file.parent.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in _beside(sqlite_file)}
    await database.dispose()
    assert len(modes) > 1, "WAL keeps files beside the database"
    assert set(modes.values()) == {0o600}


def _beside(file: Path) -> list[Path]:
    return list(file.parent.iterdir())


async def test_sqlite_pragmas_hold_on_every_connection(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    await schema.upgrade(database)
    async with database.session() as one, database.session() as two:
        for session in (one, two):
            connection = await session.connection()
            values = [
                await connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert values == ["wal", 1, 1, 15_000]
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


async def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    database = Database(f"{sqlite_url}?timeout=0")
    await schema.upgrade(database)
    assert database.file
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with database.session() as session:
        assert (await session.exec(select(Account))).all() == []
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
