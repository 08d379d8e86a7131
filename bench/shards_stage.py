"""What `bench.shards` runs on: Prefect with PostgreSQL and Redis, workers, posts, a chat server."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from pydantic import SecretStr
from sqlmodel import col, func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.operated import OperatedProsody
from demo.postgresql import PostgreSQL
from demo.prefect_api import PrefectAPI
from demo.private_redis import private_redis
from demo.serving import serving
from demo.stage import free_port
from deployments.deploying import deploy
from deployments.processes import Child, child
from deployments.profile import WORK_POOL, Cluster, server_environment, worker_environment
from deployments.server import make_work_pool, wait_until_it_answers
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import Account, schema
from models.database import Database

DEPLOYMENT = "sync-accounts/every-30-minutes"
DOMAIN = "chat.example"
START = 180.0


class OperatedCrowd(OperatedProsody):
    """A chat server of many users, none of whom ever logs in: their keys may be weak."""

    iterations = 1


@dataclass
class Posts:
    """A JSON Feed for each account; who asks is counted.

    Attributes:
        newest: by name, the number of the newest post.
        asked: how often each was asked for since it was last cleared.
    """

    newest: dict[str, int]
    asked: Counter[str] = field(default_factory=Counter)

    def text(self, name: str) -> str:
        """Return what a person's status must become."""
        return f"{name} writes {self.newest[name]}"

    async def answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.asked[name] += 1
        number = self.newest[name]
        etag = f'"{number}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        item = {
            "id": f"{number}",
            "content_text": self.text(name),
            "date_published": f"2026-11-26T00:{number:02}:00Z",
        }
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": name, "items": [item]}
        return JSONResponse(feed, headers={"etag": etag}, media_type="application/feed+json")


@dataclass
class Worker:
    """A worker, and all the processes of flow runs that it has started."""

    name: str
    child: Child

    def processes(self) -> list[psutil.Process]:
        """Return them, the worker first."""
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(self.child.process.pid)
            return [worker, *worker.children(recursive=True)]
        return []

    def has(self, flow_run: str) -> bool:
        """Tell whether it runs that flow run."""
        return any(_runs(process, flow_run) for process in self.processes())

    def kill(self) -> int:
        """Kill -9 it and all that it started, as where its machine loses power; return how many."""
        processes = self.processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        return len(processes)


def _runs(process: psutil.Process, flow_run: str) -> bool:
    with suppress(psutil.Error):
        return process.environ().get("PREFECT__FLOW_RUN_ID", "") == flow_run
    return False


@dataclass
class Stage:
    """All that a run needs, on loopback."""

    database: Database
    posts: Posts
    api: PrefectAPI
    environment: dict[str, str]
    logs: Path
    workers: dict[str, Worker]
    stack: AsyncExitStack

    async def add_worker(self, name: str, limit: int) -> None:
        """Start a worker that runs so many flow runs at a time."""
        command = (sys.executable, "-m", "prefect", "worker", "start", "--type", "process")
        told = ("--pool", WORK_POOL, "--name", name, "--limit", str(limit))
        started = child(name, (*command, *told), self.environment, self.logs / f"{name}.log")
        self.workers[name] = Worker(name, await self.stack.enter_async_context(started))

    async def done(self, run_id: int) -> int:
        """Return how many accounts have an outcome of a run by now."""
        counted = select(func.count()).where(col(Account.last_run_id) == run_id)
        async with self.database.session() as session:
            return (await session.exec(counted)).one()


@asynccontextmanager
async def stage(accounts: int, shard_size: int, logs: Path | None) -> AsyncIterator[Stage]:
    """Set the stage, without workers, and leave nothing of it behind.

    Args:
        accounts: all with a post that is new.
        shard_size: see the setting.
        logs: directory for the logs of Prefect's processes; None: they are not kept.
    """
    names = [f"person{number:05}" for number in range(accounts)]
    posts = Posts(dict.fromkeys(names, 0))
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="lastword-shards-")))
        logs = logs or directory
        logs.mkdir(parents=True, exist_ok=True)
        postgresql = stack.enter_context(PostgreSQL("-c", "max_connections=300"))
        url = postgresql.create_database("lastword")
        users = dict.fromkeys(names, "nobody logs in")
        prosody = stack.enter_context(OperatedCrowd(DOMAIN, users, {}))
        app = Starlette(routes=[Route("/{name}.json", posts.answer)])
        feeds = f"localhost:{await stack.enter_async_context(serving(app))}"
        ours = {
            "LASTWORD_DATA_DIR": str(directory),
            "LASTWORD_DATABASE_URL": url,
            "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway}),
            "LASTWORD_ALLOW_HOSTS": json.dumps([feeds]),
            "LASTWORD_SHARD_SIZE": str(shard_size),
            # All write on one host, which is ours.
            "LASTWORD_HOST_RATE": "2000",
            "LASTWORD_HOST_CONCURRENCY": "64",
        }
        os.environ.update(ours)
        database = await stack.enter_async_context(Database.open(url, check=False))
        await _fill(database, names, feeds)
        port = free_port()
        api, home = f"http://127.0.0.1:{port}/api", directory / "prefect"
        command = (sys.executable, "-m", "prefect", "server", "start", "--port", str(port))
        prefects = postgresql.create_database("prefect")
        cluster = Cluster(
            SecretStr(prefects.replace("postgresql:", "postgresql+asyncpg:")),
            SecretStr(stack.enter_context(private_redis())),
        )
        environment = server_environment(home, api, cluster=cluster)
        await stack.enter_async_context(
            child("Prefect's server", command, environment, logs / "server.log")
        )
        await wait_until_it_answers(api, START)
        await make_work_pool(api)
        environment = {**worker_environment(home, api), **ours}
        await deploy(environment, logs / "deploy.log")
        client = await stack.enter_async_context(PrefectAPI(api))
        await client.pause(DEPLOYMENT)
        workers = await stack.enter_async_context(AsyncExitStack())
        yield Stage(database, posts, client, environment, logs, {}, workers)


async def _fill(database: Database, names: list[str], feeds: str) -> None:
    """Make the tables, the key and the accounts."""
    await schema.upgrade(database)
    settings = Settings()
    Keyring.create(settings.key_path)
    await Keyring.load(settings).adopt(database)
    async with database.writing() as session:
        session.add_all(
            Account(
                name=name,
                source=f"feed:http://{feeds}/{name}.json",
                jid=f"{name}@{DOMAIN}",
                publisher="operator",
            )
            for name in names
        )
