"""How many statuses a second can the publisher `operator` change over its one connection?

On a private Prosody, once with the shared status and once with PEP alone; each is read, set, and
confirmed by the server, as the flow has it done. Prosody's data are in memory where the system
has /dev/shm (`--data DIR` for a disk of yours). Exit code 1 below 600 and 150 a second.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, process_time

import psutil

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.memory import keep_data_in
from demo.operated import PRIVILEGED, OperatedProsody
from lastword.publishers.operator import Gateway, Operator
from models import Account

LEAST = {"shared_status": 600, "pep": 150}
"""Changed statuses a second, by carrier."""
_DOMAIN = "chat.example"
_MODULES = {"shared_status": PRIVILEGED, "pep": ("privilege",)}


@dataclass(frozen=True, slots=True)
class Report:
    """What one carrier's rounds came to: medians, and all of them.

    Attributes:
        carrier: as the server confirmed it.
        per_second: median.
        rounds: each round's.
        cpu_ms: CPU of our own process for each status.
        server_cpu_ms: likewise of Prosody's, which has one core and is what limits.
    """

    carrier: str
    per_second: float
    rounds: list[float]
    cpu_ms: float
    server_cpu_ms: float


def measure(carrier: str, statuses: int, rounds: int) -> Report:
    """Change the statuses of so many users again and again.

    Raises:
        RuntimeError: the server confirmed another carrier.
    """
    names = [f"person{number}" for number in range(statuses)]
    users = dict.fromkeys(names, "no password of theirs is used")
    rates, costs, servers = [], [], []
    with OperatedProsody(_DOMAIN, users, {}, modules=_MODULES[carrier]) as prosody:
        (server,) = psutil.Process().children()
        for number in range(rounds):
            began, used, served = monotonic(), process_time(), _cpu(server)
            asyncio.run(_run(prosody, names, carrier, number))
            rates.append(statuses / (monotonic() - began))
            costs.append((process_time() - used) / statuses * 1000)
            servers.append((_cpu(server) - served) / statuses * 1000)
    return Report(carrier, median(rates), rates, median(costs), median(servers))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _run(prosody: OperatedProsody, names: list[str], carrier: str, number: int) -> None:
    """Do what one run does: connect, change everybody's status, close."""
    gateway = Gateway.model_validate(prosody.gateway)
    operator = Operator({_DOMAIN: gateway}, deadline=30, answer_deadline=60)

    async def publish(name: str) -> None:
        account = Account(name=name, source="feed:https://x.example", jid=f"{name}@{_DOMAIN}")
        async with operator.session(account) as session:
            await session.current()
            confirmed = await session.set(f"{name} was here, {number}")
        if confirmed.carrier != carrier:
            raise RuntimeError(f"confirmed by {confirmed.carrier}, not {carrier}")

    try:
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(publish(name))
    finally:
        await operator.close()


def figures(reports: Sequence[Report], statuses: int, rounds: int) -> Figures:
    """Return what was found, and what must hold."""
    columns = ["statuses a second", "our CPU each, ms", "Prosody's CPU each, ms", "rounds"]
    rows = [
        Row(
            it.carrier,
            [
                *(it.per_second, it.cpu_ms, it.server_cpu_ms),
                " ".join(f"{rate:.0f}" for rate in it.rounds),
            ],
        )
        for it in reports
    ]
    return Figures(
        name="operator",
        question="How many statuses a second does one connection of `operator` change?",
        how=f"{statuses} statuses on a private Prosody, each read, set and confirmed; medians of"
        f" {rounds} rounds.",
        tables=[Table("carrier", columns, rows, [Plot(columns[0], columns[:1])])],
        criteria=[
            Criterion(
                f"statuses a second by {it.carrier}",
                it.per_second,
                LEAST[it.carrier],
                at_least=True,
            )
            for it in reports
        ],
        notes=["Prosody works on one core, which is what limits."],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.operator", description=__doc__)
    parser.add_argument("--statuses", type=int, default=2000, help="(default 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each carrier (default 3)")
    parser.add_argument("--data", type=Path, help="where Prosody keeps its data")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    reports = [measure(carrier, told.statuses, told.rounds) for carrier in LEAST]
    return finish(figures(reports, told.statuses, told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
