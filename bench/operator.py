"""How many statuses a second can the publisher `operator` change over its one connection?

On a private Prosody, once with the shared status and once with PEP alone; each is read, set, and
confirmed by the server, as the flow has it done. Prosody's data are in memory where the system
has /dev/shm (`--data DIR` for a disk of yours). Exit code 1 below 600 and 150 a second.
"""

import asyncio
import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import monotonic, process_time

import psutil
from rich.console import Console
from rich.table import Table

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

    @property
    def trouble(self) -> str | None:
        """What is not as it must be."""
        least = LEAST[self.carrier]
        return None if self.per_second >= least else f"{self.carrier}: fewer than {least} a second"


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


def _show(reports: Sequence[Report], statuses: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("carrier", "a second", "at least", "our CPU, ms", "Prosody's, ms", "rounds"):
        table.add_column(heading, justify="left" if heading == "carrier" else "right")
    for it in reports:
        rounds = " ".join(f"{rate:.0f}" for rate in it.rounds)
        figures = [f"{it.per_second:.0f}", str(LEAST[it.carrier])]
        costs = [f"{it.cpu_ms:.2f}", f"{it.server_cpu_ms:.2f}"]
        table.add_row(it.carrier, *figures, *costs, rounds)
    console = Console(highlight=False)
    console.print(f"{statuses} changed statuses, one connection, medians\n")
    console.print(table)
    for it in reports:
        if it.trouble:
            console.print(f"Not good: {it.trouble}.", style="bold red")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.operator", description=__doc__)
    parser.add_argument("--statuses", type=int, default=2000, help="(default 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each carrier (default 3)")
    parser.add_argument("--data", type=Path, help="where Prosody keeps its data")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    told = vars(parser.parse_args(arguments))
    as_json, data = told.pop("json"), told.pop("data")
    keep_data_in(data)
    reports = [measure(carrier, **told) for carrier in LEAST]
    troubles = [it.trouble for it in reports if it.trouble]
    if as_json:
        figures = {"carriers": [asdict(it) for it in reports], "troubles": troubles}
        sys.stdout.write(f"{json.dumps(figures, indent=2)}\n")
    else:
        _show(reports, told["statuses"])
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
