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
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.figures import Criterion, Figures, Row, Table, add_options, finish
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
    def deferred(self) -> float:
        """The share of the silent host's accounts that are Deferred."""
        return self.of_silent_host.get("Deferred", 0) / self.accounts

    @property
    def spoilt(self) -> int:
        """Accounts of hosts that answer, and are not Published all the same."""
        everyone = self.hosts * self.accounts
        published = self.one_silent_outcomes.get("Published", 0)
        published -= self.of_silent_host.get("Published", 0)
        return max(
            everyone - self.all_answer_outcomes.get("Published", 0),
            everyone - self.accounts - published,
        )


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


def figures(report: Report, rounds: int) -> Figures:
    """Return what was found, and what must hold."""
    kinds = ("Published", "Deferred")

    def row(label: str, seconds: float | None, outcomes: Mapping[str, int]) -> Row:
        known = [outcomes.get(kind, 0) for kind in kinds]
        return Row(label, [seconds, *known, sum(outcomes.values()) - sum(known)])

    return Figures(
        name="silent_host",
        question="What does a host that never answers cost the others?",
        how=f"{report.hosts} hosts with {report.accounts} accounts each, {report.latency:g} s to an"
        f" answer, a deadline of {report.deadline:g} s; one accepts connections and stays silent."
        f" The quickest of {rounds} rounds in turn, and the worst outcomes.",
        tables=[
            Table(
                "run",
                ["wall, s", *kinds, "other"],
                [
                    row("all hosts answer", report.all_answer, report.all_answer_outcomes),
                    row("one is silent", report.one_silent, report.one_silent_outcomes),
                    row("of these, on the silent host", None, report.of_silent_host),
                ],
            )
        ],
        criteria=[
            Criterion("what a silent host costs a run", report.growth, report.deadline, "s"),
            Criterion("its accounts that are Deferred", report.deferred, 0.5, "%", at_least=True),
            Criterion("accounts of other hosts that it spoils", report.spoilt, 0),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.silent_host", description=__doc__)
    parser.add_argument("--hosts", type=int, default=40, help="how many (default 40)")
    parser.add_argument("--accounts", type=int, default=20, help="on each host (default 20)")
    parser.add_argument("--deadline", type=float, default=5, help="seconds (default 5)")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds (default 0.2)")
    parser.add_argument("--rounds", type=int, default=3, help="of two runs each (default 3)")
    add_options(parser)
    told = parser.parse_args(arguments)
    report = measure(told.hosts, told.accounts, told.deadline, told.latency, told.rounds)
    return finish(figures(report, told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
