"""Accounts read and changed by many at once: together, but each by itself where it matters."""

import asyncio
import sqlite3
from collections.abc import Sequence

from sqlalchemy import event, text
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import Account, schema
from models.database import Database
from models.errors import DatabaseTrouble
from models.gathering import Gathering


async def crowd(database: Database, number: int) -> list[int]:
    """Add so many accounts; return their ids."""
    async with database.writing() as session:
        added = [
            Account(name=f"p{place}", source="x:alice", jid=f"p{place}@chat.example")
            for place in range(number)
        ]
        session.add_all(added)
    return [account.id for account in added if account.id]


def commits(database: Database) -> list[object]:
    """Return a list that grows by one for each commit."""
    seen: list[object] = []
    event.listen(database.engine.sync_engine, "commit", seen.append)
    return seen


async def failures_of(database: Database) -> list[int]:
    async with database.session() as session:
        return list(await session.exec(select(Account.failures).order_by("id")))


def fail_once(_: AsyncSession, account: Account) -> int:
    account.failures += 1
    return account.failures


def be_at_fault(_: AsyncSession, account: Account) -> int:
    account.failures = 1000
    raise ValueError("at fault")


async def test_hundreds_share_few_transactions(database: Database) -> None:
    keys = await crowd(database, 300)
    seen = commits(database)
    assert await asyncio.gather(*(database.accounts.change(key, fail_once) for key in keys)) == (
        [1] * 300
    )
    assert len(seen) < 10
    loaded = await asyncio.gather(*map(database.accounts.load, keys))
    assert [(account.id, account.failures) for account in loaded if account] == [
        (key, 1) for key in keys
    ]


async def test_nobody_waits_for_company(database: Database) -> None:
    [key] = await crowd(database, 1)
    assert await database.accounts.change(key, fail_once) == 1
    assert await database.accounts.change(key, fail_once) == 2


async def test_who_is_told_finds_it_committed(database: Database) -> None:
    async def change_and_look(key: int) -> None:
        await database.accounts.change(key, fail_once)
        async with database.session() as session:
            assert (await session.get_one(Account, key)).failures == 1

    async with asyncio.TaskGroup() as tasks:
        for key in await crowd(database, 150):
            tasks.create_task(change_and_look(key))


async def test_one_that_is_at_fault_harms_no_other(database: Database) -> None:
    keys = await crowd(database, 20)
    changes = [fail_once] * 12 + [be_at_fault] + [fail_once] * 7
    done = await asyncio.gather(
        *map(database.accounts.change, keys, changes), return_exceptions=True
    )
    assert isinstance(done[12], ValueError)
    assert await failures_of(database) == [1] * 12 + [0] + [1] * 7


async def test_a_row_that_cannot_be_read_harms_no_other(database: Database) -> None:
    keys = await crowd(database, 5)
    async with database.writing() as session:
        wrong = text("UPDATE account SET last_outcome = 'Nonsense' WHERE id = :key")
        await (await session.connection()).execute(wrong, {"key": keys[2]})
    loaded = await asyncio.gather(*map(database.accounts.load, keys), return_exceptions=True)
    assert [isinstance(it, Account) for it in loaded] == [True, True, False, True, True]
    assert isinstance(loaded[2], LookupError)


async def test_what_is_asked_for_twice_is_given_twice(database: Database) -> None:
    [key] = await crowd(database, 1)
    one, two = await asyncio.gather(*map(database.accounts.load, [key, key]))
    assert one is not two, "each task has its own to change"
    assert await asyncio.gather(*(database.accounts.change(key, fail_once) for _ in range(5))) == [
        1,
        2,
        3,
        4,
        5,
    ]


async def test_what_is_there_no_more_is_none(database: Database) -> None:
    [key] = await crowd(database, 1)
    changes = (database.accounts.change(at, fail_once) for at in (key + 1, key))
    assert await asyncio.gather(*changes) == [None, 1]
    assert await database.accounts.load(key + 1) is None


async def test_a_row_that_is_locked_holds_up_nobody_else(postgresql_url: str) -> None:
    async with Database.open(postgresql_url, check=False) as database:
        await schema.upgrade(database)
        keys = await crowd(database, 50)
        async with database.session() as other, other.begin():
            await other.get_one(Account, keys[7], with_for_update=True)
            changes = [
                asyncio.create_task(database.accounts.change(key, fail_once)) for key in keys
            ]
            done, waiting = await asyncio.wait(changes, timeout=2)
            assert waiting == {changes[7]}
            assert len(done) == 49
        assert await changes[7] == 1


async def test_who_is_cancelled_takes_nobody_along(database: Database) -> None:
    keys = await crowd(database, 30)
    under_way = asyncio.Event()

    def begin(session: AsyncSession, account: Account) -> int:
        under_way.set()
        return fail_once(session, account)

    first = [asyncio.create_task(database.accounts.change(key, begin)) for key in keys[:10]]
    await under_way.wait()
    late = [asyncio.create_task(database.accounts.change(key, fail_once)) for key in keys[10:]]
    await asyncio.sleep(0)
    for task in (first[0], late[0]):
        task.cancel()
    done = await asyncio.gather(*first, *late, return_exceptions=True)
    assert [isinstance(it, asyncio.CancelledError) for it in done] == [
        place in {0, 10} for place in range(30)
    ]
    assert await failures_of(database) == [1] * 10 + [0] + [1] * 19


async def test_what_is_under_way_is_done_before_the_database_closes(database_url: str) -> None:
    database = Database(database_url)
    await schema.upgrade(database)
    [key] = await crowd(database, 1)
    change = asyncio.create_task(database.accounts.change(key, fail_once))
    await asyncio.sleep(0)
    await database.dispose()
    assert change.done() or await change == 1
    async with Database.open(database_url) as again:
        assert await failures_of(again) == [1]


async def test_trouble_with_the_database_is_told_to_all_and_passes(sqlite_url: str) -> None:
    async with Database.open(f"{sqlite_url}?timeout=0.1", check=False) as database:
        await schema.upgrade(database)
        keys = await crowd(database, 5)
        assert database.file
        other = sqlite3.connect(database.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        told = await asyncio.gather(
            *(database.accounts.change(key, fail_once) for key in keys), return_exceptions=True
        )
        assert [type(it) for it in told] == [DatabaseTrouble] * 5
        other.close()
        assert await database.accounts.change(keys[0], fail_once) == 1


async def test_work_that_is_cancelled_leaves_nobody_waiting() -> None:
    begun = asyncio.Event()

    async def never(items: Sequence[int]) -> Sequence[int]:
        begun.set()
        await asyncio.Event().wait()
        return items

    async def alone(item: int) -> int:
        return item

    gathering = Gathering(never, alone, 2)
    waiting = [asyncio.create_task(gathering.do(number)) for number in range(5)]
    await begun.wait()
    assert gathering._work
    gathering._work.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(it) for it in done] == [asyncio.CancelledError] * 5
