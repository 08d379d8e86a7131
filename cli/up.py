"""`lastword up`: Prefect's server, the worker and the schedule, in the foreground."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.markup import escape

from cli.errors import EXIT_FAILED, EXIT_OK, UsageError
from deployments.cluster import ClusterSettings, cluster_of
from deployments.processes import Child
from deployments.profile import PrefectServer, client_environment
from deployments.whereabouts import AlreadyUp, known
from lastword import runs
from lastword.data_dir import make_usable
from lastword.health_port import health_port
from lastword.metrics import metrics
from lastword.readiness import readiness
from lastword.services import open_services
from lastword.settings import Settings
from lastword.supervisor import keep_watchdog_quiet, tell_supervisor
from models import Run
from models.database import Database
from models.schema import upgrade
from models.types import now

if TYPE_CHECKING:
    from deployments.up import Up

NEWS = 2.0
"""Seconds between two looks for runs that ended."""
_OUR_SQLITE = (
    "Our own tables are in a SQLite file: for workers on this machine only. Others need"
    " LASTWORD_DATABASE_URL, a PostgreSQL (docs/scaling.md)."
)


def up(
    *,
    host: str = "127.0.0.1",
    port: int = 4200,
    server: str | None = None,
    profile: Literal["single", "cluster"] = "single",
) -> int:
    """Run everything until Ctrl-C: Prefect's server with its UI, the worker, the schedule.

    Brings the database up to date first. Logs are in `logs/` in the data directory.

    Args:
        host: Address that Prefect's server listens on; it asks for no password, so keep it local.
        port: Port of Prefect's server and its UI.
        server: API address of a Prefect server of your own, such as http://prefect:4200/api.
        profile: `single`: Prefect's server keeps all in a SQLite file and in memory. `cluster`:
            in PostgreSQL and Redis, for more accounts than that can hold; see docs/scaling.md.
    """
    settings = Settings()
    if profile == "cluster" and server:
        raise UsageError(
            "--profile says how our own Prefect server runs, and --server names another one:"
            " leave one of them out"
        )
    cluster = asyncio.run(cluster_of(settings)) if profile == "cluster" else None
    prefect = PrefectServer(host, port, server, cluster)
    asyncio.run(_prepare(settings))
    make_usable(settings.data_dir)
    # Prefect reads its environment when it is first imported.
    os.environ.update(client_environment(settings.data_dir / "prefect", prefect.api))
    # Only Prefect's server needs these, and gets them in variables of its own.
    for name in ClusterSettings.FROM_FILES:
        os.environ.pop(f"LASTWORD_{name}".upper(), None)
    # Flow runs have a working directory of their own: what is relative here would not be there.
    for name, path in settings.paths().items():
        os.environ[name] = str(path)
    return asyncio.run(_up(settings, prefect))


async def _prepare(settings: Settings) -> None:
    async with Database.open(settings.database, check=False) as database:
        await upgrade(database)
    async with open_services(settings):
        pass


async def _up(settings: Settings, prefect: PrefectServer) -> int:
    from deployments.server import ServerTrouble  # noqa: PLC0415 (imports Prefect: see above)

    console = Console(highlight=False)
    serving = asyncio.create_task(_serve(settings, prefect, console))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # Ending takes seconds, and people press Ctrl-C again: once is enough.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        ended = await serving
    except (ServerTrouble, AlreadyUp) as error:
        raise UsageError(str(error)) from None
    except asyncio.CancelledError:
        console.print("Stopped.")
        return EXIT_OK
    print(f"lastword: {ended.name} ended unexpectedly: read {ended.log}", file=sys.stderr)  # noqa: T201
    return EXIT_FAILED


async def _serve(settings: Settings, prefect: PrefectServer, console: Console) -> Child:
    """Run everything; return the first of our processes that ended by itself."""
    from deployments.up import up as everything  # noqa: PLC0415
    from flows.granularity import why_coarse  # noqa: PLC0415

    api = prefect.api
    started = asyncio.Event()
    async with Database.open(settings.database) as database:
        with known(settings.data_dir, api):
            async with _health(settings, database, api, started) as health:
                what = "the worker" if prefect.another else "Prefect's server and a worker"
                if prefect.cluster and database.is_sqlite:
                    console.print(_OUR_SQLITE, style="yellow")
                console.print(f"Starting {what} …")
                async with everything(settings.data_dir, prefect) as running:
                    console.print(f"[bold green]Last Word is up[/]: {running.ui}")
                    console.print("Due accounts are synced every 30 minutes. Ctrl-C stops it all.")
                    console.print(f"How it does: {health}")
                    if why := await why_coarse(database, settings.task_runs):
                        console.print(why, style="yellow")
                    started.set()
                    try:
                        return await _attend(running, database, console)
                    finally:
                        tell_supervisor("STOPPING=1")
                        console.print("Stopping …")


@asynccontextmanager
async def _health(
    settings: Settings, database: Database, api: str, started: asyncio.Event
) -> AsyncIterator[str]:
    """Tell over HTTP how we do; yield where."""
    from deployments.server import ServerTrouble, answers  # noqa: PLC0415 (imports Prefect)

    async def prefect() -> str | None:
        try:
            return None if await answers(api) else f"no server answers at {api}"
        except ServerTrouble as error:
            return str(error)

    async def schedule() -> str | None:
        return None if started.is_set() else "starting"

    more = {"prefect": prefect, "schedule": schedule}
    async with health_port(
        settings.health_port,
        lambda: readiness(settings, database, more),
        metrics=lambda: metrics(database),
        host=settings.health_host,
        setting="LASTWORD_HEALTH_PORT",
    ) as port:
        host = settings.health_host
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/ready"


async def _attend(running: "Up", database: Database, console: Console) -> Child:
    """Tell what happens until one of our processes ends by itself; return that."""
    tell_supervisor("READY=1")
    news = asyncio.create_task(_tell_runs(database, console))
    watchdog = asyncio.create_task(keep_watchdog_quiet())
    try:
        return await running.until_one_ends()
    finally:
        news.cancel()
        watchdog.cancel()


async def _tell_runs(database: Database, console: Console) -> None:
    """Print one line for each run that ends."""
    told = max((run.id or 0 for run in await runs.ended_after(database, 0)), default=0)
    while True:
        await asyncio.sleep(NEWS)
        for run in await runs.ended_after(database, told):
            told = run.id or told
            console.print(_line(run))


def _line(run: Run) -> str:
    ended = run.ended_at or now()
    seconds = (ended - run.started_at).total_seconds()
    colour = {"Completed": "green", "Degraded": "yellow"}.get(run.state, "red")
    when = ended.astimezone().strftime("%H:%M:%S")
    return f"{when}  [{colour}]{run.state}[/]  {escape(run.message)}  ({seconds:.1f} s)"
