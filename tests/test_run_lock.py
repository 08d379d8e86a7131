"""The run lock: one run at a time on one database, freed by the process's death."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from models import schema
from models.database import Database
from models.lock import Lock, holding, is_held
from models.run_lock import RunUnderWay, run_lock
from models.types import now

HOLD = """
import asyncio, sys
from models.database import Database
from models.run_lock import run_lock

async def hold():
    async with run_lock(Database(sys.argv[1])):
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that holds the run lock until it is killed."""
    database = Database(database_url)
    await schema.upgrade(database)
    await database.dispose()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, database_url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_a_second_process_is_refused_and_told_who_runs(
    holder: asyncio.subprocess.Process, empty_database: Database
) -> None:
    with pytest.raises(RunUnderWay) as refused:
        async with run_lock(empty_database):
            pass
    assert refused.value.pid == holder.pid
    assert refused.value.since
    assert now() - refused.value.since < timedelta(minutes=1)
    assert f"(process {holder.pid})" in str(refused.value)


async def test_a_killed_process_frees_the_lock(
    holder: asyncio.subprocess.Process, empty_database: Database
) -> None:
    holder.kill()
    await holder.wait()
    for _ in range(100):  # PostgreSQL notices a moment later
        try:
            async with run_lock(empty_database):
                return
        except RunUnderWay:
            await asyncio.sleep(0.05)
    pytest.fail("the lock was not freed")


async def test_leaving_frees_the_lock_also_after_an_error(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with run_lock(database):
                raise ZeroDivisionError
    async with run_lock(database):
        pass


async def test_two_runs_in_one_process(database: Database) -> None:
    async with run_lock(database):
        with pytest.raises(RunUnderWay) as refused:
            async with run_lock(database):
                pass
    assert refused.value.pid == os.getpid()


async def test_sessions_work_beside_the_lock(database: Database) -> None:
    async with run_lock(database):
        await schema.check(database)


async def test_databases_do_not_share_a_lock(
    sqlite_url: str, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    del sqlite_url
    other = Database(f"sqlite:///{tmp_path_factory.mktemp('other')}/other.db")
    async with run_lock(database), run_lock(other):
        pass


async def test_others_can_tell_whether_a_lock_is_held(
    holder: asyncio.subprocess.Process, empty_database: Database
) -> None:
    running, other = Lock("run", 0x6C617375), Lock("other", 3 << 32 | 0x6C617375)
    assert await is_held(empty_database, running)
    assert not await is_held(empty_database, other)
    async with holding(empty_database, other):
        assert await is_held(empty_database, other)
    assert not await is_held(empty_database, other)
    holder.kill()
    await holder.wait()
    async with asyncio.timeout(10):  # PostgreSQL notices a moment later
        while await is_held(empty_database, running):
            await asyncio.sleep(0.05)
