"""How long from the start of a run's process to its first task run of an account?

The process is the one that Prefect's worker starts for the deployment, on a Prefect server of its
own; in turns with a flow of one empty task that imports Prefect alone. Told apart is what of the
time is CPU of the process. Exit code 1 where ours takes 6 s or more.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep, time

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.memory import keep_data_in
from deployments.profile import DEPLOYMENT, client_environment
from deployments.temporary import temporary_server
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import Account, schema
from models.database import Database

SECONDS = 6.0
"""Until the first task run of an account begins, at most."""
_OURS, _PREFECT = "a run of Last Word", "an empty flow of Prefect's"
_WAIT = 120.0
_FIRST = "SELECT min(start_time) FROM task_run WHERE name LIKE 'sync %' AND start_time >= :since"


@dataclass(frozen=True, slots=True)
class Turn:
    """One process: seconds until the first task run of an account, and of CPU until its end."""

    seconds: float
    cpu: float


def measure(rounds: int) -> dict[str, list[Turn]]:
    """Give each side its turns."""
    turns: dict[str, list[Turn]] = {_OURS: [], _PREFECT: []}
    with TemporaryDirectory(prefix="lastword-bench-") as name:
        home = Path(name)
        with temporary_server(home) as api:
            environment = _environment(home, api)
            asyncio.run(_make_accounts(home))
            deployed = _Deployed(api, environment, home)
            for _ in range(rounds):
                more = {"PREFECT__FLOW_RUN_ID": deployed.new_run()}
                turns[_OURS].append(_turn("prefect.engine", environment | more, home))
                turns[_PREFECT].append(_turn("bench.start_side", environment, home))
    return turns


def _environment(home: Path, api: str) -> dict[str, str]:
    return {
        **os.environ,
        **client_environment(home / "prefect", api),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "LASTWORD_DATA_DIR": str(home / "data"),
    }


async def _make_accounts(home: Path) -> None:
    """Make a database with some accounts that need no server: their address is a private one."""
    settings = Settings(data_dir=home / "data", database_url=None)
    settings.data_dir.mkdir()
    Keyring.create(settings.key_path)
    async with Database.open(settings.database, check=False) as database:
        await schema.upgrade(database)
        await Keyring.load(settings).adopt(database)
        async with database.writing() as session:
            for name in ("alice", "bob", "chandra"):
                source = f"feed:https://127.0.0.1/{name}"
                session.add(Account(name=name, source=source, jid=f"{name}@chat.example"))


class _Deployed:
    """Our deployment on a Prefect server, without a worker: its runs are started here."""

    def __init__(self, api: str, environment: Mapping[str, str], home: Path) -> None:
        os.environ.update(client_environment(home / "prefect", api))
        from deployments.deploying import deploy  # noqa: PLC0415 (imports Prefect)
        from deployments.server import make_work_pool, wait_until_it_answers  # noqa: PLC0415

        async def set_up() -> None:
            await wait_until_it_answers(api, _WAIT)
            await make_work_pool(api)
            await deploy(environment, home / "deploy.log")

        asyncio.run(set_up())

    def new_run(self) -> str:
        """Return the id of a new flow run."""
        from prefect.client.orchestration import get_client  # noqa: PLC0415

        async def new() -> str:
            async with get_client() as client:
                deployment = await client.read_deployment_by_name(DEPLOYMENT)
                run = await client.create_flow_run_from_deployment(
                    deployment.id, parameters={"which": "all", "dry_run": True}
                )
                return str(run.id)

        return asyncio.run(new())


def _turn(module: str, environment: Mapping[str, str], home: Path) -> Turn:
    began = time()
    process = subprocess.Popen(  # noqa: S603 (our own interpreter)
        [sys.executable, "-m", module], env=dict(environment), cwd=home
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    first = _first_task_run(home / "prefect" / "prefect.db", began)
    return Turn(first - began, used.ru_utime + used.ru_stime)


def _first_task_run(database: Path, since: float) -> float:
    """Wait until the server has recorded it; return when it began, as seconds since 1970."""
    until = monotonic() + _WAIT
    moment = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S}"
    with closing(sqlite3.connect(database, timeout=60)) as prefect:
        while monotonic() < until:
            [start] = prefect.execute(_FIRST, {"since": moment}).fetchone()
            if start:
                return datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
            sleep(0.1)
    raise TimeoutError("no task run began")


def _figures(turns: Mapping[str, Sequence[Turn]], rounds: int) -> Figures:
    rows = [
        Row(side, [median(it.seconds for it in found), median(it.cpu for it in found)])
        for side, found in turns.items()
    ]
    columns = ["until the first task run, s", "CPU in all, s"]
    plot = Plot("From the process's start to its first task run, s", columns[:1])
    seconds = median(it.seconds for it in turns[_OURS])
    return Figures(
        name="start",
        question="How long from the start of a run's process to its first task run of an account?",
        how="The process that Prefect's worker starts for the deployment, and a flow of one empty"
        f" task that imports Prefect alone. Medians of {rounds} turns.",
        tables=[Table("process", columns, rows, [plot])],
        criteria=[
            Criterion("from the process's start to its first task run", seconds, SECONDS, "s")
        ],
        notes=["The worker itself looks for runs every 2 s, before that."],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each (default 3)")
    parser.add_argument("--data", type=Path, help="where everybody keeps their data")
    add_options(parser)
    told = parser.parse_args(arguments)
    keep_data_in(told.data)
    return finish(_figures(measure(told.rounds), told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
