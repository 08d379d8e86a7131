"""What does our own database cost for each account, alone and together with others?

Accounts on SQLite are loaded and an outcome is recorded for each, so many at once as in the flow:
one to a query and a transaction, and as many as come while others are under way. The two take
turns. Exit code 1 where together they do not cost a quarter of the CPU.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, process_time

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.memory import keep_data_in
from flows.syncing import WINDOW
from lastword import runs
from lastword.outcome import Outcome
from lastword.record import record
from lastword.runs import AccountRef, Which
from models import Account, OutcomeKind, account_rows, schema
from models.database import Database

RATIO = 4.0
_OUTCOME = Outcome(OutcomeKind.UNCHANGED, "nothing new")
_WAYS = {"one by one": 1, "together": account_rows.AT_ONCE}
_MEMORY = {
    "url": "https://blog.example/feed.xml",
    "hash": "0" * 64,
    "etag": '"0123456789abcdef"',
    "post": {"id": "https://blog.example/1", "text": "Something that somebody wrote. " * 5},
}


@dataclass(frozen=True, slots=True)
class Turn:
    """Milliseconds for each account."""

    cpu: float
    wall: float


def measure(accounts: int, rounds: int) -> dict[str, list[Turn]]:
    """Give each way its turns, after one that warms up."""
    turns: dict[str, list[Turn]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for way, at_once in _WAYS.items():
            account_rows.AT_ONCE = at_once
            turn = asyncio.run(_turn(accounts))
            if number:
                turns[way].append(turn)
    return turns


async def _turn(accounts: int) -> Turn:
    with TemporaryDirectory(prefix="lastword-bench-") as name:
        url = f"sqlite:///{name}/lastword.db"
        async with Database.open(url, check=False) as database:
            await schema.upgrade(database)
            async with database.writing() as session:
                for place in range(accounts):
                    jid, source = f"p{place}@chat.example", f"feed:https://blog{place}.example"
                    account = Account(name=f"p{place}", source=source, jid=jid)
                    account.source_memory = _MEMORY
                    session.add(account)
            refs = await runs.choose(database, Which.ALL)
            run_id = await runs.begin(database, Which.ALL, accounts, None)
            began, used = monotonic(), process_time()
            await _sync(database, run_id, refs)
            cpu, wall = process_time() - used, monotonic() - began
    return Turn(cpu / accounts * 1000, wall / accounts * 1000)


async def _sync(database: Database, run_id: int, refs: Sequence[AccountRef]) -> None:
    window = asyncio.Semaphore(WINDOW)

    async def one(ref: AccountRef) -> None:
        async with window:
            account = await database.accounts.load(ref.id)
            if account is None:  # pragma: no cover: nobody removes it
                raise AssertionError
            await record(database, run_id, account, _OUTCOME, 0)

    async with asyncio.TaskGroup() as tasks:
        for ref in refs:
            tasks.create_task(one(ref))


def _figures(turns: dict[str, list[Turn]], accounts: int, rounds: int) -> Figures:
    rows = [
        Row(way, [median(it.cpu for it in found), median(it.wall for it in found)])
        for way, found in turns.items()
    ]
    columns = ["CPU of each, ms", "wall of each, ms"]
    ratio = median(
        alone.cpu / together.cpu for alone, together in zip(*turns.values(), strict=True)
    )
    return Figures(
        name="recording",
        question="What does our own database cost for each account?",
        how=f"{accounts:,} accounts on SQLite are loaded, and an outcome is recorded for each,"
        f" {WINDOW} at once. Medians of {rounds} turns.",
        tables=[Table("way", columns, rows, [Plot("CPU of each account, ms", columns[:1])])],
        criteria=[Criterion("CPU, one by one to together", ratio, RATIO, "times", at_least=True)],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.recording", description=__doc__)
    parser.add_argument("--accounts", type=int, default=2000, help="(default 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default 3)")
    parser.add_argument("--data", type=Path, help="where the database is")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    turns = measure(told.accounts, told.rounds)
    return finish(_figures(turns, told.accounts, told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
