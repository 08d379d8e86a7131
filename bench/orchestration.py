"""What does Prefect itself cost for each account?

Tasks that do nothing, with the options of `sync_account`, run on a Prefect server of their own:
by our task runner, by Prefect's engine alone (asyncio.gather), and by Prefect's thread runner, each
a process of its own, in turns. Counted is the CPU of that process, until all that Prefect's server
is to know has been sent. Exit code 1 above 4 ms for each of 3,000 task runs.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.memory import keep_data_in
from deployments.profile import client_environment
from deployments.temporary import temporary_server

CPU = 4.0
"""Milliseconds for each task run, at most."""
_SIZES = (100, 800, 3000)
_WAYS = {
    "ours": "our task runner",
    "gather": "Prefect's engine alone",
    "threads": "Prefect's thread runner",
}
_START = _RECORDED = 300.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One process's figures; those in milliseconds are for each task run.

    Attributes:
        memory: MB at most.
        recorded: seconds from the process's end until Prefect's server had all task runs.
    """

    cpu_ms: float
    wall_ms: float
    memory: float
    recorded: float


def measure(sizes: Sequence[int], rounds: int) -> dict[tuple[str, int], list[Turn]]:
    """Give each way its turns, with so many task runs; the others only with the fewest."""
    few = min(sizes)
    sides = [("ours", size) for size in sizes] + [("gather", size) for size in sorted(sizes)[:2]]
    turns: dict[tuple[str, int], list[Turn]] = {side: [] for side in (*sides, ("threads", few))}
    with TemporaryDirectory(prefix="lastword-bench-") as name:
        directory = Path(name)
        with temporary_server(directory) as api:
            environment = {**os.environ, **client_environment(directory / "prefect", api)}
            environment["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
            _wait_until_it_answers(api)
            for _ in range(rounds):
                for side, found in turns.items():
                    found.append(_turn(*side, directory / "prefect", environment))
    return turns


def _turn(way: str, number: int, prefect: Path, environment: Mapping[str, str]) -> Turn:
    command = [sys.executable, "-m", "bench.orchestration_side", way, str(number)]
    process = subprocess.run(  # noqa: S603 (our own interpreter)
        command, env=dict(environment), stdout=subprocess.PIPE, text=True, check=True
    )
    said = json.loads(process.stdout.splitlines()[-1])
    # Nor would the server's work on one be that of the next.
    recorded = _until_recorded(prefect / "prefect.db", said.pop("flow_run_id"), number)
    return Turn(**said, recorded=recorded)


def _until_recorded(database: Path, flow_run_id: str, number: int) -> float:
    """Wait until the server has so many task runs; return for how many seconds that was."""
    began = monotonic()
    query = "SELECT count(*) FROM task_run WHERE flow_run_id = ? AND end_time IS NOT NULL"
    with closing(sqlite3.connect(database, timeout=60)) as prefect:
        while prefect.execute(query, (flow_run_id,)).fetchone()[0] < number:
            if monotonic() - began > _RECORDED:
                raise TimeoutError(f"{number} task runs were not recorded in {_RECORDED:g} s")
            sleep(0.1)
    return monotonic() - began


def _wait_until_it_answers(api: str) -> None:
    from deployments.server import wait_until_it_answers  # noqa: PLC0415 (imports Prefect)

    asyncio.run(wait_until_it_answers(api, _START))


def _figures(turns: Mapping[tuple[str, int], Sequence[Turn]], rounds: int) -> Figures:
    rows = []
    for (way, number), found in turns.items():
        cpu, wall = (median(getattr(it, of) for it in found) for of in ("cpu_ms", "wall_ms"))
        memory, recorded = (
            median(getattr(it, of) for it in found) for of in ("memory", "recorded")
        )
        engine = turns.get(("gather", number))
        share = _ratio(found, engine) if engine else None
        values = [number, cpu, share, wall, memory, recorded]
        rows.append(Row(_WAYS[way], values))
    columns = [
        *("task runs", "CPU of each, ms", "times the engine's", "wall of each, ms"),
        *("memory, MB", "recorded after, s"),
    ]
    ours = [row for row in rows if row.label == _WAYS["ours"]]
    sizes = Table(
        "task runs",
        ["CPU of each, ms", "memory, MB"],
        [Row(str(row.values[0]), [row.values[1], row.values[4]]) for row in ours],
        [Plot("CPU of each task run by our task runner, ms", ["CPU of each, ms"], "lines")],
    )
    size = max(number for _, number in turns)
    most = median(it.cpu_ms for it in turns["ours", size])
    return Figures(
        name="orchestration",
        question="What does Prefect itself cost for each account?",
        how="Tasks that do nothing, with the options of `sync_account`, each way a process of its"
        " own, on a Prefect server of their own (SQLite). CPU of that process, until all that the"
        f" server is to know has been sent. Medians of {rounds} turns.",
        tables=[Table("way", columns, rows), sizes],
        criteria=[Criterion(f"CPU of each of {size:,} task runs", most, CPU, "ms")],
        notes=[
            "Prefect's engine alone is asyncio.gather over the tasks, in an async flow: no runner.",
            "The thread runner gives each async task a loop and an API client of its own.",
        ],
    )


def _ratio(found: Sequence[Turn], engine: Sequence[Turn]) -> float:
    """Return the median of the rounds', for neighbours in time share what else goes on."""
    return median(one.cpu_ms / other.cpu_ms for one, other in zip(found, engine, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.orchestration", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=_SIZES, help="(default 100 800 3000)"
    )
    parser.add_argument("--rounds", type=int, default=2, help="of each way (default 2)")
    parser.add_argument("--data", type=Path, help="where Prefect's server keeps its data")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    return finish(_figures(measure(told.sizes, told.rounds), told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
