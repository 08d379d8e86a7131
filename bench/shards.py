"""Does every account get exactly one outcome of a run in shards, also where a worker is killed?

Two workers of Prefect's process pool, PostgreSQL, a Prosody by `operator`, a feed for each
account: a run over all, then one in which the worker that has only shards is killed with all that
it started, then one in which the worker that has the run itself is, and the run after it. Exit
code 1 where an account has no outcome, or was published wrongly.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from httpx import HTTPError
from sqlmodel import col, func, select

from bench.figures import Criterion, Figures, Row, Table, add_options, finish
from bench.memory import keep_data_in
from bench.shards_stage import DEPLOYMENT, Stage, stage
from demo.prefect_api import State
from lastword import runs, shards
from models import Account, LedgerEntry, Run, Shard

PLACES = 3
"""Flow runs at a time on each of two workers: the run itself, and four shards, have room."""
CHANGED = 20
"""One account in so many has a new post at each further run: 5 %."""
KILLED_AT = 0.3
"""Of the accounts have an outcome."""
LONGEST = 1_500.0
"""Seconds that a run may take."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one run.

    Attributes:
        what: was done.
        seconds: from asking Prefect for it until Prefect has its final state.
        state: that.
        due: accounts, by the run's row.
        outcomes: accounts with an outcome of it.
        without: accounts that it owes one.
        attempts: flow runs of shards.
        twice: accounts whose feed was asked for more than once.
    """

    what: str
    seconds: float
    state: str
    due: int
    outcomes: int
    without: int
    attempts: int
    twice: int


async def scenario(accounts: int, shard_size: int, logs: Path | None) -> tuple[list[Ran], int, int]:
    """Do it all; return the runs, ledger rows of the same account and run, and wrong statuses."""
    async with stage(accounts, shard_size, logs) as on:
        for name in ("worker-a", "worker-b"):
            await on.add_worker(name, PLACES)
        ran = [await _run(on, "all have a new post")]
        _write(on)
        ran.append(await _run(on, "5 % new; the worker without the run killed", kill="shards"))
        await on.add_worker("worker-c", PLACES)
        _write(on)
        ran.append(await _run(on, "5 % new; the worker with the run killed", kill="run"))
        await on.add_worker("worker-d", PLACES)
        ran.append(await _run(on, "the run after it"))
        async with on.database.session() as session:
            each = (
                select(func.count())
                .select_from(LedgerEntry)
                .group_by(col(LedgerEntry.run_id), col(LedgerEntry.account_id))
            )
            double = sum(number > 1 for number in await session.exec(each))
            rows = await session.exec(select(Account.name, Account.published_status))
            wrong = sum(status != on.posts.text(name) for name, status in rows)
    return ran, double, wrong


def _write(on: Stage) -> None:
    """Let one person in twenty write something new."""
    for number, name in enumerate(on.posts.newest):
        if number % CHANGED == 0:
            on.posts.newest[name] += 1


async def _run(on: Stage, what: str, kill: str = "") -> Ran:
    on.posts.asked.clear()
    began = monotonic()
    flow_run = await on.api.start(DEPLOYMENT)
    if kill:
        await _kill(on, flow_run, kill)
    if kill == "run":  # nobody else would tell Prefect, until the lease of its one place ends
        await asyncio.sleep(1)
        await on.api.set_state(flow_run, "CRASHED")
    ended = await _end(on, flow_run)
    return await _found(on, flow_run, what, monotonic() - began, ended)


async def _end(on: Stage, flow_run: str) -> State:
    """Wait for a run's end, however slow Prefect's server is meanwhile."""
    async with asyncio.timeout(LONGEST):
        while True:
            with suppress(HTTPError):
                return await on.api.end(flow_run, LONGEST)
            await asyncio.sleep(1)


async def _kill(on: Stage, flow_run: str, kill: str) -> None:
    """Kill a worker in the middle of a run."""
    run_id = await _run_id(on, flow_run)
    wanted = KILLED_AT * len(on.posts.newest)
    while True:
        await asyncio.sleep(0.2)
        at_work = [it for it in await shards.shards_of(on.database, run_id) if it.flow_run_id]
        for name, worker in on.workers.items():
            has_shard = any(worker.has(str(it.flow_run_id)) for it in at_work)
            if worker.has(flow_run) is (kill == "run") and has_shard:
                if await on.done(run_id) < wanted:
                    break
                number = worker.kill()
                sys.stderr.write(f"killed {name}, {number} processes\n")
                del on.workers[name]
                return


async def _run_id(on: Stage, flow_run: str) -> int:
    while True:
        async with on.database.session() as session:
            found = await session.exec(select(Run.id).where(Run.flow_run_id == flow_run))
            if run_id := found.first():
                return run_id
        await asyncio.sleep(0.2)


async def _found(on: Stage, flow_run: str, what: str, seconds: float, ended: State) -> Ran:
    run_id = await _run_id(on, flow_run)
    due = await shards.due(on.database, run_id)
    tally = await runs.tally(on.database, run_id, due)
    async with on.database.session() as session:
        attempts = await session.exec(
            select(func.sum(Shard.attempts)).where(Shard.run_id == run_id)
        )
        ran = Ran(
            what,
            seconds,
            ended.name,
            due,
            sum(tally.counts.values()),
            tally.without_outcome,
            attempts.one() or 0,
            sum(number > 1 for number in on.posts.asked.values()),
        )
    sys.stderr.write(f"{ran}: {ended.message}\n")
    return ran


def _figures(accounts: int, shard_size: int, found: tuple[list[Ran], int, int]) -> Figures:
    ran, double, wrong = found
    rows = [
        Row(it.what, [it.seconds, it.state, it.due, it.outcomes, it.without, it.attempts, it.twice])
        for it in ran
    ]
    whole, shards_killed, _, after = ran
    return Figures(
        name="shards",
        question="Does every account get exactly one outcome of a run in shards, also where a"
        " worker is killed?",
        how=f"{accounts:,} accounts in shards of {shard_size:,}, over two workers with {PLACES}"
        " places each, on PostgreSQL; one feed each, published by `operator` to a private Prosody.",
        tables=[
            Table(
                "run",
                [
                    *("wall, s", "state", "due", "with an outcome", "without"),
                    *("flow runs of shards", "feeds asked twice"),
                ],
                rows,
            )
        ],
        criteria=[
            Criterion("accounts without outcome, no worker killed", accounts - whole.outcomes, 0),
            Criterion("feeds asked more than once, no worker killed", whole.twice, 0),
            Criterion(
                "accounts without outcome, a worker killed with -9 that had shards",
                accounts - shards_killed.outcomes,
                0,
            ),
            Criterion(
                "accounts without outcome in the run after the one whose own worker was killed",
                accounts - after.outcomes,
                0,
            ),
            Criterion("accounts with two outcomes of one run", double, 0),
            Criterion("accounts whose status is not their newest post in the end", wrong, 0),
        ],
        notes=[
            "A killed worker takes along all that it has started, as a machine that loses power.",
            "A run whose own process dies is set to Crashed by hand, as our alerts have it done.",
        ],
        command=f"python -m bench.shards --accounts {accounts} --shard-size {shard_size}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.shards", description=__doc__)
    parser.add_argument("--accounts", type=int, default=20_000, help="(default 20,000)")
    parser.add_argument("--shard-size", type=int, default=2_000, help="(default 2,000)")
    parser.add_argument("--logs", type=Path, help="where Prefect's processes leave their logs")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(None)
    found = asyncio.run(scenario(told.accounts, told.shard_size, told.logs))
    return finish(_figures(told.accounts, told.shard_size, found), told)


if __name__ == "__main__":
    sys.exit(main())
