"""What does a host that never answers cost the others?

A run over many hosts, with all of them answering, and with one that accepts connections and stays
silent, in turns. The quickest of each is compared, for a machine may be busy with other things.
The run may take longer by less than one deadline, however many accounts live on that host. Exit
code 1 where it takes longer, or where in any run most of those accounts are not Deferred.
"""

import asyncio
import json
import subprocess
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.one_run import Ran, one_run
from lastword.settings import Settings

_RETRY_SHARE = 4
"""The settings' own deadline is so many times as long as the wait for a retry."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured; times in seconds, accounts by outcome."""

    hosts: int
    accounts: int
    deadline: float
    latency: float
    all_answer: float
    all_answer_outcomes: Mapping[str, int]
    one_silent: float
    one_silent_outcomes: Mapping[str, int]
    of_silent_host: Mapping[str, int]

    @property
    def growth(self) -> float:
        """Seconds that the silent host costs."""
        return self.one_silent - self.all_answer

    @property
    def troubles(self) -> list[str]:
        """What is not as it must be."""
        troubles = []
        if self.growth >= self.deadline:
            troubles.append("the silent host costs a deadline or more")
        if self.of_silent_host.get("Deferred", 0) * 2 <= self.accounts:
            troubles.append("most accounts of the silent host are not Deferred")
        others = Counter(self.one_silent_outcomes)
        others.subtract(self.of_silent_host)
        everyone = self.hosts * self.accounts
        if self.all_answer_outcomes != {"Published": everyone}:
            troubles.append("not all are Published though all hosts answer")
        if dict(+others) != {"Published": everyone - self.accounts}:
            troubles.append("the silent host spoils accounts of others")
        return troubles


@contextmanager
def _hosts(hosts: int, accounts: int, latency: float) -> Iterator[list[dict[str, Any]]]:
    command = [sys.executable, "-m", "bench.hosts", str(hosts), str(accounts), str(latency)]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:  # pragma: no cover: both are pipes
            raise AssertionError
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def measure(hosts: int, accounts: int, deadline: float, latency: float, rounds: int) -> Report:
    """Run over the same hosts; every second time the first of them is silent."""
    with _hosts(hosts, accounts, latency) as places:
        silent = places[0]["silent"]
        answering: dict[str, str] = {}
        for place in places:
            answering |= place["answering"]
        allowed = frozenset(host for place in places for host in place["allow_hosts"])
        # The first run warms up what is loaded once.
        few = dict(list(answering.items())[: 3 * accounts])
        _run(few, allowed, deadline)
        both = [
            (_run(answering, allowed, deadline), _run(answering | silent, allowed, deadline))
            for _ in range(rounds)
        ]
    before, after = map(_summed_up, zip(*both, strict=True))
    return Report(
        hosts=hosts,
        accounts=accounts,
        deadline=deadline,
        latency=latency,
        all_answer=before.seconds,
        all_answer_outcomes=before.outcomes,
        one_silent=after.seconds,
        one_silent_outcomes=after.outcomes,
        of_silent_host=dict(Counter(after.of[name] for name in silent)),
    )


def _run(sources: Mapping[str, str], allowed: frozenset[str], deadline: float) -> Ran:
    with TemporaryDirectory(prefix="lastword-bench-") as directory:
        settings = Settings(
            data_dir=Path(directory),
            database_url=None,
            allow_hosts=allowed,
            ca_file=None,
            http_deadline=deadline,
            retry_seconds=deadline / _RETRY_SHARE,
        )
        return asyncio.run(one_run(settings, sources))


def _summed_up(runs: Sequence[Ran]) -> Ran:
    """Return the quickest time, and the worst outcomes."""
    worst = min(runs, key=lambda ran: ran.outcomes.get("Published", 0))
    return replace(worst, seconds=min(ran.seconds for ran in runs))


def _show(report: Report) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "seconds", "Published", "Deferred", "other"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(name: str, seconds: str, outcomes: Mapping[str, int]) -> None:
        known = [outcomes.get(kind, 0) for kind in ("Published", "Deferred")]
        table.add_row(name, seconds, *map(str, known), str(sum(outcomes.values()) - sum(known)))

    row("all hosts answer", f"{report.all_answer:.1f}", report.all_answer_outcomes)
    row("one is silent", f"{report.one_silent:.1f}", report.one_silent_outcomes)
    row("  on the silent host", "", report.of_silent_host)
    console = Console(highlight=False)
    console.print(
        f"{report.hosts} hosts with {report.accounts} accounts each,"
        f" {report.latency:g} s to an answer, a deadline of {report.deadline:g} s\n"
    )
    console.print(table)
    console.print(f"\nA silent host costs {report.growth:.1f} s of at most {report.deadline:g} s.")
    for trouble in report.troubles:
        console.print(f"Not good: {trouble}.", style="bold red")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.silent_host", description=__doc__)
    parser.add_argument("--hosts", type=int, default=40, help="how many (default 40)")
    parser.add_argument("--accounts", type=int, default=20, help="on each host (default 20)")
    parser.add_argument("--deadline", type=float, default=5, help="seconds (default 5)")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds (default 0.2)")
    parser.add_argument("--rounds", type=int, default=3, help="of two runs each (default 3)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    told = vars(parser.parse_args(arguments))
    as_json = told.pop("json")
    report = measure(**told)
    if as_json:
        figures = asdict(report) | {"growth": report.growth, "troubles": report.troubles}
        sys.stdout.write(f"{json.dumps(figures, indent=2)}\n")
    else:
        _show(report)
    return 1 if report.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
