"""Does an account cost the same, however many there are?

The real flow, a process each, over 100 to 10,000 accounts of the publisher `operator` on a real
Prosody, of which a share has a new post; the hosts have nothing new for the others. Each account
has a task run of its own, recorded by a Prefect server on PostgreSQL and Redis. Exit code 1 where
10,000 take more than 350 MB, or more CPU each than 1.2 times those of 800, or where a task run is
not recorded.
"""

import asyncio
import json
import sqlite3
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from pydantic import SecretStr
from rich.console import Console

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.stage import Stage, stage
from bench.whole import measured
from demo.postgresql import PostgreSQL, new_database
from demo.prefect_api import FINAL, PrefectAPI
from demo.private_redis import private_redis
from deployments.profile import Cluster
from models.database import normalise

MEMORY = 350.0
"""MB at most with the most accounts."""
FLAT = 1.2
"""CPU of an account with the most accounts, to that with 800, at most."""
_SIZES = (100, 800, 3000, 10_000)
_OF = 800
_CHANGED = 0.05
_PUBLISHER = "operator"
_PATIENCE = 20.0
"""Seconds without a further task run, after which no more are expected to be recorded."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One run over so many accounts.

    Attributes:
        seconds, cpu, memory: see `bench.whole.Used`.
        outcomes: accounts by outcome.
        lost: task runs that Prefect has not recorded in the end.
        visible: seconds from the end of the run until it had the last of the others.
    """

    seconds: float
    cpu: float
    memory: float
    outcomes: Mapping[str, int]
    lost: int
    visible: float


def measure(sizes: Sequence[int], rounds: int, data: Path | None) -> dict[int, list[Turn]]:
    """Run over each number of accounts; 1 among them, for what a run costs by itself."""
    # The largest first: so what is new for one is not new for the next, who has none of it.
    ordered = sorted({1, *sizes}, reverse=True)
    turns: dict[int, list[Turn]] = {size: [] for size in sorted(ordered)}
    with _cluster() as cluster, stage(ordered[0], data=data, cluster=cluster) as scene:
        for number in range(rounds):
            _bring_up_to_date(scene)
            for size in ordered:
                turns[size].append(_turn(scene, size, f"{number}-{size}"))
                _say(size, turns[size][-1])
    return turns


def _bring_up_to_date(scene: Stage) -> None:
    """Publish everybody's post, in few task runs: nobody measures this one."""
    measured("bench.sides.flow", {}, {**scene.of(_PUBLISHER), "LASTWORD_TASK_RUNS": "20"})


@contextmanager
def _cluster() -> Iterator[Cluster]:
    """Run PostgreSQL and Redis for Prefect's server."""
    with PostgreSQL() as postgresql, new_database(postgresql.socket) as url, private_redis() as it:
        database = normalise(url).render_as_string(hide_password=False)
        yield Cluster(SecretStr(database), SecretStr(it))


def _turn(scene: Stage, size: int, name: str) -> Turn:
    """Have a share of so many people write something new, and run over them."""
    home = scene.directory / name
    home.mkdir()
    with closing(sqlite3.connect(scene.directory / _PUBLISHER / "lastword.db")) as database:
        database.execute("VACUUM INTO ?", (str(home / "lastword.db"),))
    with closing(sqlite3.connect(home / "lastword.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("DELETE FROM account WHERE id > ?", (size,))
    scene.posts.change(scene.names[size - max(1, round(size * _CHANGED)) : size])
    return _run({**scene.environment, "LASTWORD_DATA_DIR": str(home)})


def _run(environment: Mapping[str, str]) -> Turn:
    used = measured("bench.sides.flow", {}, environment)
    outcomes, api = used.said["outcomes"], environment["PREFECT_API_URL"]
    number = sum(outcomes.values())
    found, visible = asyncio.run(_recorded(api, used.said["flow_run_id"], number))
    return Turn(used.seconds, used.cpu, used.memory, outcomes, number - found, visible)


async def _recorded(api: str, flow_run: str, number: int) -> tuple[int, float]:
    """Wait until Prefect has recorded all task runs, or no further ones.

    Returns:
        How many it has, and after how many seconds the last was there.
    """
    final = {"state": {"type": {"any_": sorted(FINAL)}}, "name": {"like_": "sync "}}
    wanted = {"flow_runs": {"id": {"any_": [flow_run]}}, "task_runs": final}
    began = last = monotonic()
    found = 0
    async with PrefectAPI(api) as prefect:
        while found < number and monotonic() - last < _PATIENCE:
            now = await prefect.call("POST", "/task_runs/count", json=wanted)
            if now > found:
                found, last = now, monotonic()
            await asyncio.sleep(0.5)
    return found, last - began


def _say(size: int, turn: Turn) -> None:
    said = f"{size}: {turn.seconds:.1f} s, {turn.cpu:.1f} s of CPU, {turn.memory:.0f} MB"
    Console(stderr=True, highlight=False).print(said, json.dumps(turn.outcomes), style="dim")


def _figures(turns: Mapping[int, Sequence[Turn]], rounds: int) -> Figures:
    def median_of(size: int, of: str) -> float:
        return float(median(getattr(turn, of) for turn in turns[size]))

    by_itself = median_of(1, "cpu")

    def each(size: int) -> float:
        """Return an account's CPU in ms, without what a run costs by itself."""
        return (median_of(size, "cpu") - by_itself) / size * 1000

    columns = [
        *("wall, s", "CPU, s", "memory, MB", "wall each, ms", "CPU each, ms"),
        *("not recorded", "last visible after, s"),
    ]
    rows = []
    for size in turns:
        wall, cpu, memory, lost, visible = (
            median_of(size, of) for of in ("seconds", "cpu", "memory", "lost", "visible")
        )
        costs = [wall / size * 1000, each(size)] if size > 1 else [None, None]
        rows.append(Row(str(size), [wall, cpu, memory, *costs, lost, visible]))
    most, of = max(turns), _OF if _OF in turns else min(size for size in turns if size > 1)
    lost_in_all = sum(turn.lost for found in turns.values() for turn in found)
    failed = sum(turn.outcomes.get("Failed", 0) for found in turns.values() for turn in found)
    return Figures(
        name="scale",
        question="Does an account cost the same, however many there are?",
        how="One run of the real flow, a process each, by `operator` on a private Prosody;"
        f" {_CHANGED:.0%} of the accounts have a new post, hosts take 50 ms to answer. Each account"
        " has a task run of its own, recorded by a Prefect server on PostgreSQL and Redis."
        f" Medians of {rounds} rounds.",
        tables=[
            Table(
                "accounts",
                columns,
                rows,
                [
                    Plot("CPU of each account, ms", ["CPU each, ms"], "lines"),
                    Plot("Memory at most, MB", ["memory, MB"], "lines"),
                ],
            )
        ],
        criteria=[
            Criterion(f"memory with {most:,} accounts", median_of(most, "memory"), MEMORY, "MB"),
            Criterion(
                f"CPU of an account, of {most:,} to of {of:,}", each(most) / each(of), FLAT, "times"
            ),
            Criterion("accounts that failed", failed, 0),
            Criterion("task runs that were not recorded", lost_in_all, 0),
        ],
        notes=[
            "CPU each is without that of a run over one account, which is what a start costs.",
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=_SIZES, help="(default 100 800 3000 10000)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="of all sizes (default 1)")
    parser.add_argument("--data", type=Path, help="where everybody keeps their data")
    add_options(parser)
    told = parser.parse_args(arguments)
    return finish(_figures(measure(told.sizes, told.rounds, told.data), told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
