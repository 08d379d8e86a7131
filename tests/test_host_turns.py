"""Turns at hosts, over several processes: together they keep to one rate."""

import asyncio
from time import monotonic, time

import pytest

from lastword import host_turns
from lastword.host_turns import HostTurns, Turns
from models import HostTurn
from models.database import Database

HOST = "social.example"


async def test_turns_follow_each_other_whoever_takes_them(database: Database) -> None:
    one, other = Turns(database, 10, 2), Turns(database, 10, 2)
    assert await one.take(HOST, 30) == pytest.approx(0, abs=0.01)
    assert await other.take(HOST, 5) == pytest.approx(3, abs=1)
    assert await one.take(HOST, 5) == pytest.approx(3.5, abs=1)
    assert await one.take("blog.example", 5) == pytest.approx(0, abs=0.01)


async def test_turns_that_nobody_took_are_not_kept(database: Database) -> None:
    async with database.writing() as session:
        session.add(HostTurn(host=HOST, free_at=1_000_000))
    assert await Turns(database, 10, 2).take(HOST, 5) == pytest.approx(0, abs=0.01)
    assert await Turns(database, 10, 2).take(HOST, 5) > 0


async def test_turns_of_a_clock_that_was_ahead_keep_nobody_waiting(database: Database) -> None:
    async with database.writing() as session:
        session.add(HostTurn(host=HOST, free_at=time() + 365 * 86_400))
    assert await Turns(database, 10, 2).take(HOST, 5) == pytest.approx(0, abs=0.01)
    assert 0 < await Turns(database, 10, 2).take(HOST, 5) < 1


async def test_old_hosts_are_forgotten(database: Database) -> None:
    async with database.writing() as session:
        session.add(HostTurn(host="old.example", free_at=1_000_000))
    asked = Turns(database, 10, 2)
    await asked.take(HOST, 1000)
    await host_turns.forget(database)
    async with database.session() as session:
        assert await session.get(HostTurn, "old.example") is None
    assert await asked.take(HOST, 1) > 0


class Counted(Turns):
    """Turns that begin at once, and how many were taken."""

    def __init__(self, database: Database, rate: float, processes: int) -> None:
        super().__init__(database, rate, processes)
        self.taken: list[int] = []

    async def take(self, host: str, number: int) -> float:
        del host
        self.taken.append(number)
        return 0.0


async def test_a_host_with_few_accounts_costs_no_question(database: Database) -> None:
    counted = Counted(database, 20, 4)
    at = counted.at(HOST, lambda: 0)
    for _ in range(5):
        await at.acquire()
    assert counted.taken == []
    # What went first is paid for then.
    await at.acquire()
    assert counted.taken == [6]


async def test_where_many_wait_blocks_are_taken(database: Database) -> None:
    counted = Counted(database, 20, 4)
    waiting = 100
    at = HostTurns(counted, HOST, lambda: waiting)
    for _ in range(35):
        await at.acquire()
    assert counted.taken == [15, 10, 10]


async def test_two_processes_are_no_faster_than_one(database: Database) -> None:
    rate, number = 200.0, 150
    began = monotonic()

    async def fetch(at: HostTurns) -> None:
        for _ in range(number):
            await at.acquire()

    shares = [Turns(database, rate, 2).at(HOST, lambda: 50) for _ in range(2)]
    await asyncio.gather(*map(fetch, shares))
    # Each began with half a second's worth.
    assert monotonic() - began > 2 * number / rate - 1 - host_turns.BLOCK
