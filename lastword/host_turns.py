"""Turns at hosts, given out by our database: several processes together keep to one host's rate.

Virtual scheduling, as for the generic cell rate algorithm (ITU-T I.371, annex A): each host has a
moment from when on it is free, and who takes turns moves it on by as long as they last.
"""

import asyncio
from collections.abc import Callable

from sqlalchemy import ColumnElement, Float, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import and_, case, col, delete

from models import HostTurn
from models.database import Database

BLOCK = 0.5
"""Seconds' worth of turns that one process takes at a time, at most: for so long others wait."""
FORGET = 86_400.0
FARTHEST = 300.0
"""Seconds that a host's turns are given out ahead, at most: beyond, a clock was wrong."""


class Turns:
    """Those of all hosts, in our database.

    Args:
        database: ours.
        rate: turns a second at one host.
        processes: so many may take turns at a time.
    """

    def __init__(self, database: Database, rate: float, processes: int) -> None:
        self._database = database
        self.rate = rate
        self.processes = processes

    def at(self, host: str, waiting: Callable[[], int]) -> "HostTurns":
        """Return the turns at one host.

        Args:
            host: its name.
            waiting: tells how many wait for a turn in this process, beside who asks.
        """
        return HostTurns(self, host, waiting)

    async def take(self, host: str, number: int) -> float:
        """Take so many turns at a host; return in how many seconds they begin.

        Raises:
            DatabaseTrouble: our database cannot be asked.
        """
        now, span = _now(self._database.is_sqlite), number / self.rate
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        known = col(HostTurn.free_at)
        free_at = case((and_(known > now, known < now + FARTHEST), known), else_=now)
        taken = (
            insert(HostTurn)
            .values(host=host, free_at=now + span)
            .on_conflict_do_update(index_elements=["host"], set_={"free_at": free_at + span})
            .returning(HostTurn.free_at - span - now)
        )
        async with self._database.writing() as session:
            begins: float = (await (await session.connection()).execute(taken)).scalar_one()
        return max(begins, 0.0)


async def forget(database: Database) -> None:
    """Forget the hosts that nobody has asked for a day."""
    before = _now(database.is_sqlite) - FORGET
    async with database.writing() as session:
        await session.exec(delete(HostTurn).where(col(HostTurn.free_at) < before))


class HostTurns:
    """One process's turns at one host; `acquire` as an `AsyncLimiter` has it.

    The first are its part of what may go at once anyhow, and cost no question: most hosts have a
    few accounts only. They are paid for with the first block.
    """

    def __init__(self, turns: Turns, host: str, waiting: Callable[[], int]) -> None:
        self._turns = turns
        self._host = host
        self._waiting = waiting
        self._left = self._unpaid = max(1, int(turns.rate / turns.processes))
        self._block = max(1, int(turns.rate * BLOCK))
        self._asking = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait for a turn.

        Raises:
            DatabaseTrouble: our database cannot be asked.
        """
        async with self._asking:
            if not self._left:
                number = min(1 + self._waiting(), self._block)
                seconds = await self._turns.take(self._host, number + self._unpaid)
                await asyncio.sleep(seconds)
                self._left, self._unpaid = number, 0
            self._left -= 1


def _now(is_sqlite: bool) -> "ColumnElement[float]":
    """Return the present moment by the database's clock: machines may disagree about theirs."""
    if is_sqlite:
        return (func.julianday("now", type_=Float()) - 2_440_587.5) * 86_400.0
    return func.date_part("epoch", func.clock_timestamp(), type_=Float())
