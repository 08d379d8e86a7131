"""Does anything grow? A thousand cycles in one process, on each database, by a clock in hand.

Each cycle is a run half an hour after the one before, by the code that runs use: it opens database,
HTTP client and publishers, syncs a few accounts (by `login`, whose sessions linger, and by
`operator`; four of them are ill), closes its row, forgets what is old, and closes all. Then runs of
the real flow in one process, for what its task runner may leave. Prints the slopes of memory,
threads, open files, tasks and tables; exit code 1 where one is beyond its limit.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from bench.memory import keep_data_in
from bench.soak.report import Report, show

PARTS = ("sqlite", "postgresql", "flows")


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak each part in a process of its own, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000, help="on each database (default 1000)")
    parser.add_argument("--flows", type=int, default=100, help="of the real flow (default 100)")
    parser.add_argument("--accounts", type=int, default=12, help="(default 12)")
    parser.add_argument("--data", type=Path, help="where Prosody and databases keep their data")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--child", action="store_true", help="be the process that is measured")
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    if told.child:
        from bench.soak.parts import soak_part  # noqa: PLC0415 (what it imports, is measured)

        sys.stdout.write(soak_part(told.only, told.cycles, told.flows, told.accounts).to_json())
        return 0
    reports = [_soak(part, told) for part in ([told.only] if told.only else PARTS)]
    if told.json:
        sys.stdout.write(f"{json.dumps([json.loads(it.to_json()) for it in reports], indent=2)}\n")
    troubles = [trouble for it in reports for trouble in it.troubles]
    return 1 if troubles else 0


def _soak(part: str, told: Namespace) -> Report:
    """Soak one part in a process of its own, whose memory is nobody else's, and show it."""
    command = [sys.executable, "-m", "bench.soak", "--child", "--only", part]
    for name in ("cycles", "flows", "accounts", "data"):
        if (value := getattr(told, name)) is not None:
            command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
    report = Report.from_json(done.stdout)
    if not told.json:
        show(report)
    return report


if __name__ == "__main__":
    sys.exit(main())
