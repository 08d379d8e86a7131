"""The database: how it is opened, and that its trouble is told in words."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models import Account, KeyCheck, schema
from models.database import SESSIONS, Database


def _account(name: str) -> Account:
    return Account(name=name, source="x:alice", jid="alice@chat.example")


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


async def test_connections_are_kept_however_many_sessions_there_are(database: Database) -> None:
    opened: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda *it: opened.append(it))

    async def ask() -> None:
        async with database.session() as session:
            assert await (await session.connection()).scalar(text("SELECT 1")) == 1

    for _ in range(3):
        await asyncio.gather(*(ask() for _ in range(40)))
    assert len(opened) <= SESSIONS


async def test_who_waits_for_a_connection_goes_before_who_comes(database: Database) -> None:
    done = dict.fromkeys(range(3 * SESSIONS), 0)

    async def ask_again_and_again(who: int) -> None:
        while min(done.values()) < 3:
            async with database.session() as session:
                await (await session.connection()).scalar(text("SELECT 1"))
            done[who] += 1
            assert max(done.values()) - min(done.values()) <= 2

    await asyncio.gather(*map(ask_again_and_again, done))
