"""How many task runs can Prefect's server take at once without losing some?

A burst of task runs that do nothing, by our task runner, against a real server in each profile:
`single` (SQLite, messages in memory) and `cluster` (PostgreSQL, messages in Redis). Counted is
what the server has recorded once nothing more arrives: a task run that it never saw the end of is
stuck, one that it never saw is lost. Exit code 1 where one is stuck or lost at the ceiling that a
run keeps to in `single`, or anywhere in `cluster`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from pydantic import SecretStr

from bench.figures import Criterion, Figures, Row, Table, add_options, finish
from demo.postgresql import PostgreSQL, new_database
from demo.prefect_api import FINAL, PrefectAPI
from demo.private_redis import private_redis
from deployments.profile import Cluster, client_environment
from deployments.temporary import temporary_server
from models.database import normalise

CEILING = 1_400
"""`flows.granularity.IN_MEMORY`: that module imports Prefect, which reads its settings at once."""
TRIES = 3
"""Of a task run where each attempt but the last fails, as `tasks.sync_account` has it."""
ROOM, MESSAGES = 10_000, 2
"""Messages that a server keeps in memory, and those of a task run that is tried once."""
START = 180.0
QUIET = 45.0
"""Seconds without anything new after which nothing more is waited for."""
EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of one.

    Attributes:
        profile: of the server.
        number: of task runs.
        tries: attempts of each.
        seconds: that the flow took for them.
        visible: seconds from the flow's start until the last was recorded.
        final: recorded in a final state.
        stuck: recorded, but not so.
        redis: bytes that Redis held at most; None where there is none.
    """

    profile: str
    number: int
    tries: int
    seconds: float
    visible: float
    final: int
    stuck: int
    redis: int | None = None

    @property
    def lost(self) -> int:
        """Task runs that the server has never seen."""
        return self.number - self.final - self.stuck

    @property
    def label(self) -> str:
        """Profile and size."""
        tried = f", each tried {self.tries} times" if self.tries > 1 else ""
        return f"{self.profile}: {self.number:,} task runs{tried}"


@contextmanager
def _server(profile: str) -> Iterator[tuple[str, str | None]]:
    """Run one for the length of the block; yield the addresses of its API and its Redis."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="lastword-broker-")))
        cluster, redis = None, None
        if profile == "cluster":
            socket = stack.enter_context(PostgreSQL()).socket
            url = normalise(stack.enter_context(new_database(socket)))
            redis = stack.enter_context(private_redis())
            database = SecretStr(url.render_as_string(hide_password=False))
            cluster = Cluster(database, SecretStr(redis))
        api = stack.enter_context(temporary_server(directory, cluster))
        os.environ.update(client_environment(directory / "prefect", api))
        from deployments.server import wait_until_it_answers  # noqa: PLC0415 (imports Prefect)

        asyncio.run(wait_until_it_answers(api, START))
        yield api, redis


def _burst(profile: str, api: str, redis: str | None, number: int, tries: int) -> Burst:
    quiet = {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_API_URL": api}
    told = subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-m", "bench.burst", str(number), str(tries)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | quiet,
    )
    said = json.loads(told.stdout.splitlines()[-1])
    final, stuck, visible = asyncio.run(_recorded(api, said["flow_run_id"], number))
    visible -= said["began"]
    peak = None
    if redis:
        from redis import Redis  # noqa: PLC0415 (only who has this profile has it installed)

        with Redis.from_url(redis) as client:
            peak = client.info("memory")["used_memory_peak"]
    return Burst(profile, number, tries, said["seconds"], visible, final, stuck, peak)


async def _recorded(api: str, flow_run: str, number: int) -> tuple[int, int, float]:
    """Return the task runs in final and in other states, and when the last change was seen."""
    before, changed = (-1, -1), time()
    of_run = {"flow_runs": {"id": {"any_": [flow_run]}}}
    final = {"task_runs": {"state": {"type": {"any_": sorted(FINAL)}}}}
    async with PrefectAPI(api) as asked:
        while True:
            every = await asked.call("POST", "/task_runs/count", json=of_run)
            ended = await asked.call("POST", "/task_runs/count", json=of_run | final)
            if (found := (every, ended)) != before:
                before, changed = found, time()
            if ended == number or time() - changed > QUIET:
                return ended, every - ended, changed
            await asyncio.sleep(EVERY)


def measure(single: Sequence[int], cluster: Sequence[int]) -> list[Burst]:
    """Have bursts of these sizes; those that fit into memory once more, with all of it retried."""
    bursts = []
    for profile, sizes in (("single", single), ("cluster", cluster)):
        if not sizes:
            continue
        with _server(profile) as (api, redis):
            todo = [(number, 1) for number in sizes]
            if profile == "single":
                todo += [(number, TRIES) for number in sizes if number * MESSAGES <= ROOM]
            bursts += [_burst(profile, api, redis, *what) for what in todo]
    return bursts


def figures(bursts: Sequence[Burst]) -> Figures:
    """Return what was found, and what must hold of it."""
    columns = ["recorded", "stuck", "lost", "flow, s", "last one visible after, s"]
    columns += ["recorded, a second", "Redis at most, MB"]
    rows = [
        Row(
            it.label,
            [
                *(it.final, it.stuck, it.lost, it.seconds, it.visible, it.final / it.visible),
                it.redis / 1e6 if it.redis else None,
            ],
        )
        for it in bursts
    ]
    criteria = [
        Criterion(f"{it.label}: stuck or lost", it.stuck + it.lost, 0)
        for it in bursts
        if it.profile == "cluster" or it.number <= CEILING
    ]
    return Figures(
        name="broker",
        question="How many task runs can Prefect's server take at once without losing some?",
        how=(
            "Bursts of task runs that do nothing, by our task runner, one after another against"
            " one server in each profile: `single` (SQLite, messages in memory), `cluster`"
            " (PostgreSQL, messages in Redis)."
        ),
        tables=[Table("burst", columns, rows)],
        criteria=criteria,
        notes=[
            (
                "Each task run sends two messages, and two more for each retry; in memory there"
                " is room for 10,000. Where each is tried three times, that is room for 1,428,"
                f" whatever the machine; a run keeps to {CEILING:,}."
            ),
        ],
        command="make bench NAME=broker SAVE=1",
    )


def _sizes(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.broker", description=__doc__)
    parser.add_argument(
        "--single", type=_sizes, default=[CEILING, 10_000], help="sizes, with commas"
    )
    parser.add_argument("--cluster", type=_sizes, default=[10_000], help="sizes, with commas")
    add_options(parser)
    told = parser.parse_args(arguments)
    # Else PostgreSQL and Redis, in sessions of their own, would outlive us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    return finish(figures(measure(told.single, told.cluster)), told)


if __name__ == "__main__":
    sys.exit(main())
