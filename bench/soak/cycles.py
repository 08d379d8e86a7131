"""Cycles: runs as the flow makes them, without Prefect, half an hour apart on a clock in hand."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import time_machine

from bench.hearing import Operator, RunSeen
from bench.one_run import sync_all
from bench.soak.footprint import Footprint, of_database, of_process
from bench.soak.stage import Stage
from lastword import runs
from lastword.changes import changes_in
from lastword.health import EVERY
from lastword.ledger import prune
from lastword.runs import Which
from lastword.services import open_services
from lastword.settings import Settings
from lastword.verdict import verdict
from models.database import Database
from models.run_lock import run_lock
from models.types import now

LOOKS = 50
"""How often one looks at what is held."""
WRITES = 0.1
"""Chance of a new post, for each person and cycle."""
_GONE = 5.0
"""Seconds for our own servers to notice that nobody is there any more."""


async def soak(
    stage: Stage, cycles: int, told: Callable[[int], object]
) -> tuple[list[int], list[Footprint], Counter[str]]:
    """Live through so many cycles.

    Args:
        stage: set.
        cycles: how many.
        told: called with the number of each look.

    Returns:
        After how many cycles one looked, what was held then, and the outcomes of all.
    """
    luck = Random(1)  # noqa: S311 (no secret)
    operator = Operator(len(stage.people))
    looked, seen, outcomes = list[int](), list[Footprint](), Counter[str]()
    every = max(1, cycles // LOOKS)
    with time_machine.travel(now(), tick=False) as clock:
        for number in range(1, cycles + 1):
            for person in stage.people:
                person.posts += luck.random() < WRITES
            outcomes += await _cycle(stage.settings, operator)
            clock.shift(EVERY)
            if number % every == 0:
                async with asyncio.timeout(_GONE):
                    await stage.feeds.deserted.wait()
                async with Database.open(stage.settings.database) as database:
                    held = await of_database(database)
                looked.append(number)
                seen.append({**of_process(), **held})
                told(number)
    return looked, seen, outcomes


async def _cycle(settings: Settings, operator: Operator) -> Counter[str]:
    async with open_services(settings) as services:
        database = services.database
        await services.until_the_end.enter_async_context(run_lock(database))
        refs = await runs.choose(database, Which.DUE)
        await runs.expect(database, services.sources, refs)
        started_at = now()
        run_id = await runs.begin(database, Which.DUE, len(refs), None)
        await sync_all(refs, run_id, services)
        ended = await runs.tally(database, run_id, await runs.still_there(database, refs))
        judged = verdict(ended, threshold=settings.failure_threshold)
        await runs.finish(database, run_id, ended, judged.state, judged.message)
        await changes_in(database, run_id)
        await prune(database, settings.retention)
        await operator.listen(services, RunSeen(run_id, started_at, ended, judged.state))
        operator.told.clear()
    return Counter({kind.value: number for kind, number in ended.counts.items()})
