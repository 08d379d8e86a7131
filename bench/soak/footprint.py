"""What a process and a database hold at one moment, and how that grows from cycle to cycle."""

import asyncio
import ctypes
import gc
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression

import psutil
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from models import Account
from models.database import Database

Footprint = Mapping[str, float]
"""What is held, by its name in `LIMITS`, or `rows of …`."""

LIMITS = {
    "memory": 4096.0,
    "threads": 0.001,
    "open files": 0.001,
    "event loops": 0.001,
    "tasks": 0.001,
    "our objects": 0.05,
    "database": 1024.0,
}
"""How much each may grow in one cycle: bytes, or how many.

One socket that is left behind in a cycle would be 1 in each. A heap and a file of pages move by
some for a while; a run's client that is left would be 100 times as much.
"""
ROWS = 0.1
"""Likewise for the rows of a table: an outcome of one account that is kept for ever would be 1."""
WARM = 0.4
"""The share of the cycles that are not counted: caches fill, and retention begins to work."""
_OURS = {"cli", "deployments", "flows", "tasks", "lastword", "models"}

_PAGES = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
_SIZES = (
    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)


def of_process() -> Footprint:
    """Return what this process holds, once what nobody refers to is gone."""
    _forget_statements()
    gc.collect()
    _give_back()
    process = psutil.Process()
    kinds = Counter(map(type, gc.get_objects()))
    ours = sum(number for kind, number in kinds.items() if _is_ours(str(kind.__module__)))
    is_loop = {kind for kind in kinds if issubclass(kind, asyncio.BaseEventLoop)}
    loops = [it for it in gc.get_objects() if type(it) in is_loop]
    return {
        "memory": process.memory_info().rss,
        "threads": threading.active_count(),
        "open files": process.num_fds(),
        "event loops": len(loops),
        "tasks": sum(len(asyncio.all_tasks(loop)) for loop in loops),
        "our objects": ours,
    }


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS


def _forget_statements() -> None:
    """Empty the caches of SQLAlchemy's mappers.

    Each keeps its last hundred statements, and with them the dialect of the engine they were for:
    with asyncpg a thousand pieces of memory. Here each cycle has an engine of its own. Of a table
    that is rarely written to, the cache fills for thousands of cycles, and would hide all else.
    """
    for mapper in inspect(Account).registry.mappers:
        mapper._compiled_cache.clear()  # noqa: SLF001 (nothing public does it)


def _give_back() -> None:
    """Have the C library return what it holds free (malloc_trim(3)).

    How many megabytes it keeps is chance, and what is not free stays: a leak shows as before.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


async def of_database(database: Database) -> Footprint:
    """Return how many rows our tables have, and how many bytes they take."""
    tables = sorted(SQLModel.metadata.tables)
    async with database.engine.connect() as connection:
        found = {
            f"rows of {table}": float(
                await connection.scalar(text(f'SELECT count(*) FROM "{table}"'))  # noqa: S608
            )
            for table in tables
        }
        size = await connection.scalar(text(_PAGES if database.is_sqlite else _SIZES))
    return found | {"database": float(size)}


@dataclass(frozen=True, slots=True)
class Growth:
    """How one thing grew.

    Attributes:
        what: its name.
        first, last: how much there was when counting began, and in the end.
        slope: by linear regression, for each cycle.
        limit: how much it may be.
    """

    what: str
    first: float
    last: float
    slope: float
    limit: float

    @property
    def is_flat(self) -> bool:
        """Whether it has not grown."""
        return self.slope <= self.limit


def growths(
    cycles: Sequence[int], seen: Sequence[Footprint], limits: Mapping[str, float] = LIMITS
) -> list[Growth]:
    """Return how everything grew, without the first cycles.

    Args:
        cycles: how many there had been at each look, rising.
        seen: what was held then.
        limits: how much it may; see `LIMITS`.
    """
    begin = next(place for place, number in enumerate(cycles) if number >= WARM * cycles[-1])
    numbers, counted = cycles[begin:], seen[begin:]
    return [
        Growth(
            what,
            counted[0][what],
            counted[-1][what],
            linear_regression(numbers, [it[what] for it in counted]).slope,
            limits.get(what, ROWS),
        )
        for what in counted[0]
    ]
