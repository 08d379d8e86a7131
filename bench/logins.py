"""What does one login cost, and does it leave anything behind?

Sessions of the publisher `login` (log in, read the status, set it, leave) against the same by
slixmpp as it comes, 50 at once on a private Prosody with its own default of 10,000 rounds of key
derivation; the two take turns, and medians count. Then 2,000 more sessions in one process. Exit
code 1 where ours are not 2.5 times as many a second, cost more than 7 ms of CPU, or leave
tasks, sockets or memory.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.memory import keep_data_in
from demo.prosody import Prosody

RATIO = 2.5
CPU = 7.0
GROWTH = 2048
"""Bytes for each session: a heap moves by some; a client that is left would be 100 times that."""
_WARM = 3
"""Rounds until caches and the heap have their size."""
_PASSWORD = "correct horse battery"  # noqa: S105 (of people who are made up)


class _Server(Prosody):
    iterations = 10_000


@dataclass(frozen=True, slots=True)
class Side:
    """Medians over the rounds: sessions a second, and CPU of the client's process for each."""

    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured.

    Attributes:
        ours, stock: medians.
        ratio: the median of each round's, for neighbours in time share what else goes on.
        stayed: sessions in one process.
        tasks, sockets: held after its first rounds, and in the end.
        growth: bytes of memory for each further session.
    """

    ours: Side
    stock: Side
    ratio: float
    stayed: int
    tasks: tuple[int, int]
    sockets: tuple[int, int]
    growth: float


class _Client:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 (a pipe)
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def ask(self, command: str) -> Any:  # noqa: ANN401 (JSON)
        assert self._process.stdout is not None  # noqa: S101 (a pipe)
        self.tell(command)
        return json.loads(self._process.stdout.readline())


@contextmanager
def _client(side: str, server: dict[str, object]) -> Iterator[_Client]:
    command = [sys.executable, "-m", "bench.login_side", side]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        client = _Client(process)
        client.tell(json.dumps(server))
        yield client
        assert process.stdin is not None  # noqa: S101 (a pipe)
        process.stdin.close()


def measure(logins: int, at_once: int, rounds: int, stay: int) -> Report:
    """Measure both sides in turn, then ours for long."""
    names = [f"person{number}" for number in range(logins)]
    with ExitStack() as stack:
        prosody = stack.enter_context(_Server(users=dict.fromkeys(names, _PASSWORD)))
        server: dict[str, object] = {
            "domain": prosody.domain,
            "address": prosody.address,
            "ca_file": str(prosody.ca_file),
            "password": _PASSWORD,
            "names": names,
            "at_once": at_once,
        }
        sides = [stack.enter_context(_client(name, server)) for name in ("ours", "stock")]
        for side in sides:
            side.ask("round")  # warms up what is loaded once
        pairs = [tuple(side.ask("round") for side in sides) for _ in range(rounds)]
        held = sides[0].ask(f"stay {_WARM + -(-stay // logins)}")[_WARM - 1 :]
    done = [logins * number for number in range(len(held))]
    ours, stock = (_medians([pair[which] for pair in pairs], logins) for which in (0, 1))
    return Report(
        ours=ours,
        stock=stock,
        ratio=median(theirs["seconds"] / own["seconds"] for own, theirs in pairs),
        stayed=done[-1],
        tasks=(held[0]["tasks"], held[-1]["tasks"]),
        sockets=(held[0]["sockets"], held[-1]["sockets"]),
        growth=linear_regression(done, [it["rss"] for it in held]).slope,
    )


def _medians(rounds: list[dict[str, float]], logins: int) -> Side:
    return Side(
        per_second=median(logins / it["seconds"] for it in rounds),
        cpu_ms=median(it["cpu"] / logins * 1000 for it in rounds),
    )


def figures(report: Report, logins: int, at_once: int, rounds: int) -> Figures:
    """Return what was found, and what must hold."""
    columns = ["sessions a second", "CPU of the client each, ms"]
    rows = [
        Row("slixmpp as it comes", [report.stock.per_second, report.stock.cpu_ms]),
        Row("publisher `login`", [report.ours.per_second, report.ours.cpu_ms]),
    ]
    left = {"tasks": report.tasks, "sockets": report.sockets}
    return Figures(
        name="logins",
        question="What does one login cost, and does it leave anything behind?",
        how=f"{logins} sessions of log in, read, set and leave, {at_once} at once, on a private"
        " Prosody with 10,000 rounds of key derivation; medians of"
        f" {rounds} rounds in turn. Then {report.stayed} more of ours in one process.",
        tables=[Table("by", columns, rows, [Plot(columns[0], columns[:1])])],
        criteria=[
            Criterion(
                *("sessions a second, ours to slixmpp's as it comes", report.ratio, RATIO, "times"),
                at_least=True,
            ),
            Criterion("CPU of the client for a session", report.ours.cpu_ms, CPU, "ms"),
            *(
                Criterion(f"{what} left after {report.stayed} sessions", abs(last - first), 0)
                for what, (first, last) in left.items()
            ),
            Criterion("growth of memory for a session", report.growth, GROWTH, "bytes"),
        ],
        notes=["slixmpp as it comes shares one TLS context, too: the greatest saving of all."],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.logins", description=__doc__)
    parser.add_argument("--logins", type=int, default=200, help="in a round (default 200)")
    parser.add_argument("--at-once", type=int, default=50, help="(default 50)")
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--stay", type=int, default=2000, help="sessions (default 2000)")
    parser.add_argument("--data", type=Path, help="where Prosody keeps its data")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    sizes = told.logins, told.at_once, told.rounds
    return finish(figures(measure(*sizes, told.stay), *sizes), told)


if __name__ == "__main__":
    sys.exit(main())
