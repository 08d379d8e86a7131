"""How much Prefect's database and ours grow in a day, and that retention bounds Prefect's.

Runs the real flow against Prefect's real server, many short runs over few accounts and few over
many: the first tell what a run costs, the second what an account in it does. Then all of it is
made to look old, Prefect's vacuum removes it, and the same runs again fit into the same file.
"""

import asyncio
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.growth_sizes import DAYS_AGO, EVENTS, RUNS, grow_old, rows, settled, sizes, vacuumed
from deployments.profile import EVENT_DAYS, RUN_DAYS, client_environment
from deployments.temporary import temporary_server
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import Account, schema
from models.database import Database

RUNS_A_DAY = 48
FEW, MANY = 4, 200
MANY_RUNS = 8
LEDGER_DAYS: int = Settings.model_fields["retention"].default.days
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that a run costs, and each account in it."""

    run: float
    account: float

    @classmethod
    def solve(cls, few: tuple[int, float], many: tuple[int, float]) -> "Cost":
        """Return the two unknowns of `bytes per run = run + accounts x account`."""
        account = (many[1] - few[1]) / (many[0] - few[0])
        return cls(few[1] - few[0] * account, account)

    def a_day(self, accounts: int) -> float:
        """Return the bytes of a day's runs over so many accounts."""
        return RUNS_A_DAY * (self.run + accounts * self.account)


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured; sizes in bytes."""

    runs: int
    events: Cost
    records: Cost
    ledger_rows: int
    ledger_row: float
    our_run: float
    is_vacuumed: bool
    full: int
    vacuumed: int
    free: int
    again: int

    @property
    def troubles(self) -> list[str]:
        """What is not as it should be."""
        found = [] if self.is_vacuumed else ["Prefect's vacuum left old runs or events"]
        if self.again > 1.1 * self.full:
            found.append("the same runs again did not fit into what the vacuum had freed")
        return found


def measure(runs: int, seconds: float) -> Report:
    """Run so many short runs, within so many seconds, then the rest."""
    with TemporaryDirectory(prefix="lastword-growth-") as name, _server(Path(name)) as settings:
        from bench.growth_runs import run_many  # noqa: PLC0415 (imports Prefect)

        names = asyncio.run(_prepare(settings))
        prefect, ours = Path(name, "prefect", "prefect.db"), Path(name, "lastword.db")

        def run(who: Sequence[str] | None, at_most: int, seconds: float) -> int:
            done = run_many(who, at_most=at_most, seconds=seconds)
            settled(prefect)
            return done

        run(names[:FEW], 1, 60)  # the first one makes what stays
        start = sizes(prefect)
        few_runs = run(names[:FEW], runs, seconds)
        middle = sizes(prefect)
        many_runs = run(None, MANY_RUNS, seconds / 3)
        end = sizes(prefect)
        costs = [
            Cost.solve(
                (FEW, (middle.of(*tables) - start.of(*tables)) / few_runs),
                (MANY, (end.of(*tables) - middle.of(*tables)) / many_runs),
            )
            for tables in (EVENTS, RUNS)
        ]
        ledger = rows(ours, "ledger")
        our_sizes, our_runs = sizes(ours), rows(ours, "run")
        grow_old(prefect)
        is_vacuumed = vacuumed(prefect)
        after = sizes(prefect)
        run(names[:FEW], few_runs, seconds / 2)
        run(None, many_runs, seconds / 3)
        return Report(
            runs=few_runs + many_runs,
            events=costs[0],
            records=costs[1],
            ledger_rows=ledger,
            ledger_row=our_sizes.of("ledger") / ledger,
            our_run=our_sizes.of("run") / our_runs,
            is_vacuumed=is_vacuumed,
            full=end.file,
            vacuumed=after.file,
            free=after.free,
            again=sizes(prefect).file,
        )


@contextmanager
def _server(directory: Path) -> Iterator[Settings]:
    """Run Prefect's server with our profile, but for how often it looks what is old."""
    ours = {"LASTWORD_DATA_DIR": str(directory)}
    often = {"PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "5"}
    os.environ.update({**ours, **often, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"})
    with temporary_server(directory) as api:
        os.environ.update(client_environment(directory / "prefect", api))
        from deployments.server import wait_until_it_answers  # noqa: PLC0415 (imports Prefect)

        asyncio.run(wait_until_it_answers(api, 120))
        yield Settings()


async def _prepare(settings: Settings) -> list[str]:
    """Make database, key and accounts; return the accounts' names."""
    names = [f"a{number}" for number in range(MANY)]
    Keyring.create(settings.key_path)
    async with Database.open(settings.database, check=False) as database:
        await schema.upgrade(database)
        await Keyring.load(settings).adopt(database)
        async with database.writing() as session:
            for name in names:
                source, jid = f"feed:https://social.example/{name}", f"{name}@chat.example"
                session.add(Account(name=name, source=source, jid=jid))
    return names


def _show(report: Report, accounts: int, posts: float, failing: float) -> Iterator[str]:
    day = {"events": (report.events, EVENT_DAYS), "runs": (report.records, RUN_DAYS)}
    yield f"Measured over {report.runs} runs. {accounts} accounts, {RUNS_A_DAY} runs a day:"
    bound = 0.0
    for what, (cost, days) in day.items():
        a_day = cost.a_day(accounts)
        bound += a_day * days
        yield (
            f"  Prefect's {what}: {RUNS_A_DAY} x ({cost.run / 1000:.1f} KB + {accounts} x"
            f" {cost.account / 1000:.2f} KB) = {a_day / MB:.0f} MB a day"
            f" x {days} days = {a_day * days / MB:.0f} MB"
        )
    yield f"  Prefect's database: at most {bound / MB / 1000:.1f} GB, by retention"
    ledger = accounts * (2 * posts + RUNS_A_DAY * failing)
    a_day = ledger * report.ledger_row + RUNS_A_DAY * report.our_run
    yield (
        f"  Our ledger, of {posts:g} posts a day each and {failing:.0%} failing: {accounts} x"
        f" (2 x {posts:g} + {RUNS_A_DAY} x {failing:g}) = {ledger:.0f} rows x"
        f" {report.ledger_row:.0f} bytes, and {RUNS_A_DAY} runs x {report.our_run:.0f} bytes"
        f" = {a_day / MB:.2f} MB a day x {LEDGER_DAYS} days = {a_day * LEDGER_DAYS / MB:.0f} MB"
    )
    worst = accounts * RUNS_A_DAY * report.ledger_row
    yield f"  Our ledger at worst, a row per account and run: {worst / MB:.1f} MB a day"
    yield (
        f"All made {DAYS_AGO} days old and removed by Prefect: {report.is_vacuumed}."
        f" File before {report.full / MB:.1f} MB, after {report.vacuumed / MB:.1f} MB, of which"
        f" {report.free / MB:.1f} MB free; with the same runs again {report.again / MB:.1f} MB."
    )
    yield from (f"Not good: {trouble}." for trouble in report.troubles)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--runs", type=int, default=192, help="short ones (default 192)")
    parser.add_argument("--seconds", type=float, default=600, help="at most (default 600)")
    parser.add_argument("--accounts", type=int, default=800, help="to tell of (default 800)")
    parser.add_argument("--posts", type=float, default=3, help="a day and account (default 3)")
    parser.add_argument("--failing", type=float, default=0.05, help="share (default 0.05)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    told = parser.parse_args(arguments)
    report = measure(told.runs, told.seconds)
    if told.json:
        figures = asdict(report) | {"troubles": report.troubles}
        sys.stdout.write(f"{json.dumps(figures, indent=2)}\n")
    else:
        for line in _show(report, told.accounts, told.posts, told.failing):
            sys.stdout.write(f"{line}\n")
    return 1 if report.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
