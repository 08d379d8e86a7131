"""Does everybody get their turn, and nobody more often than they should? What do operators hear?

Thirty days in a clock held in hand: accounts with failures of every class, through the code that
runs use (choose, attempt, record) on a real SQLite database, against servers that are a script.
For two days the machine sleeps. Exit code 1 where anything is not as it must be.
"""

import asyncio
import logging
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import cast

import time_machine
from sqlmodel import select

from bench.hearing import Listener, Operator, RunSeen
from bench.one_run import sync_all
from bench.turns import Turn, troubles_of
from bench.world import START, Life, ScriptedPublisher, ScriptedSource, World, lives
from lastword import accounts, ledger, runs
from lastword.health import EVERY
from lastword.runs import Which
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.http import GuardedClient
from lastword.verdict import verdict
from models import Account, schema
from models.database import Database
from models.types import now

ASLEEP = (timedelta(days=21, minutes=10), timedelta(days=23, minutes=10))
"""From when to when the machine is suspended."""


@dataclass
class Month:
    """What the month was like.

    Attributes:
        turns: by account, each of its turns.
        runs: how many.
        ledger_rows: at the end.
        bytes: of the database at the end.
    """

    world: World
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    ledger_rows: int = 0
    bytes: int = 0

    def troubles(self, ends: datetime) -> list[str]:
        """Return what is not as it must be, one line for each."""
        found = list(self.world.troubles)
        for name, life in self.world.lives.items():
            asleep = (START + ASLEEP[0], START + ASLEEP[1])
            found += troubles_of(life, self.turns[name], ends=ends, asleep=asleep)
        return found


async def live(directory: Path, people: Sequence[Life], days: float, listener: Listener) -> Month:
    """Live through so many days, run by run.

    Args:
        directory: for the database.
        people: the accounts.
        days: how many.
        listener: awaited after each run.
    """
    month = Month(World({life.name: life for life in people}))
    month.turns = {life.name: [] for life in people}
    settings = Settings(data_dir=directory, database_url=None, retry_seconds=0)
    with time_machine.travel(START, tick=False) as clock:
        async with Database.open(settings.database, check=False) as database:
            await schema.upgrade(database)
            await _add(database, people)
            moment = START
            while moment < START + timedelta(days=days):
                clock.move_to(moment)
                await _owners_act(database, people, moment)
                if seen := await _run(settings, database, month):
                    await listener(*seen)
                moment += EVERY
                if ASLEEP[0] < moment - START < ASLEEP[1]:
                    moment = START + ASLEEP[1]
            size = await ledger.size(database)
            month.ledger_rows, month.bytes = size.entries, size.bytes
    return month


async def _add(database: Database, people: Sequence[Life]) -> None:
    async with database.writing() as session:
        for life in people:
            source, jid = f"feed:https://{life.host}/{life.name}", f"{life.name}@chat.example"
            session.add(Account(name=life.name, source=source, jid=jid, active=not life.is_paused))


async def _owners_act(database: Database, people: Sequence[Life], moment: datetime) -> None:
    """Let owners change what was refused, in the half hour before this run."""
    for life in people:
        if any(moment - EVERY < acts <= moment for acts in life.owner_acts):
            await accounts.edit(database, life.name, {"jid": f"{life.name}@new.example"})


async def _run(
    settings: Settings, database: Database, month: Month
) -> tuple[Services, RunSeen] | None:
    month.world.tried.clear()
    services = Services(
        settings=settings,
        database=database,
        http=cast("GuardedClient", None),
        sources={"feed": ScriptedSource(month.world)},
        publishers={"login": ScriptedPublisher(month.world)},
        until_the_end=AsyncExitStack(),
    )
    started_at = now()
    if not (refs := await runs.choose(database, Which.DUE)):
        return None
    run_id = await runs.begin(database, Which.DUE, len(refs), None)
    await sync_all(refs, run_id, services)
    ended = await runs.tally(database, run_id, len(refs))
    if ended.without_outcome:
        month.world.troubles.append(f"run {run_id}: {ended.without_outcome} without outcome")
    judged = verdict(ended, threshold=settings.failure_threshold)
    await runs.finish(database, run_id, ended, judged.state, judged.message)
    await ledger.prune(database, settings.retention)
    await _note(database, run_id, started_at, month)
    month.runs += 1
    month.outcomes.update({kind.value: number for kind, number in ended.counts.items()})
    return services, RunSeen(run_id, started_at, ended, judged.state)


async def _note(database: Database, run_id: int, moment: datetime, month: Month) -> None:
    async with database.session() as session:
        query = select(Account.name, Account.last_outcome, Account.last_error)
        for name, outcome, error in await session.exec(query.where(Account.last_run_id == run_id)):
            turn = Turn(moment, str(outcome), error, was_tried=name in month.world.tried)
            month.turns[name].append(turn)


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through a month, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.month", description=__doc__)
    parser.add_argument("--accounts", type=int, default=800, help="how many (default 800)")
    parser.add_argument("--days", type=float, default=30, help="how many (default 30)")
    told = parser.parse_args(arguments)
    logging.getLogger("lastword").setLevel(logging.CRITICAL)
    began = process_time()
    people = lives(told.accounts)
    operator = Operator(sum(not life.is_paused for life in people))
    with TemporaryDirectory(prefix="lastword-bench-") as directory:
        month = asyncio.run(live(Path(directory), people, told.days, operator.listen))
    ends = START + timedelta(days=told.days)
    troubles = month.troubles(ends) + operator.troubles()
    said = ", ".join(f"{number} {kind}" for kind, number in month.outcomes.most_common())
    lines = [
        f"{told.accounts} accounts, {told.days:g} days, {month.runs} runs: {said}",
        f"The ledger has {month.ledger_rows} rows, the database {month.bytes / 1e6:.1f} MB.",
        "Operators were told:",
        *(f"  {number:4} {what}" for what, number in operator.kinds()),
        f"{process_time() - began:.0f} s of CPU.",
        *(f"Not good: {trouble}" for trouble in troubles[:20]),
        f"{len(troubles)} troubles." if troubles else "Everybody had their turn, nobody too often.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
