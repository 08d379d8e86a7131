"""`lastword up`: server, worker and deployment in one foreground process, ended together."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments import profile
from deployments.deploying import deploy
from deployments.processes import Child, adopt_orphans, child, end_orphans
from deployments.server import (
    ServerTrouble,
    check_port,
    close_abandoned_runs,
    make_work_pool,
    wait_until_it_answers,
)
from flows.with_worker import VARIABLE

START = 120.0
"""Seconds for Prefect's server to answer: it builds its database at the first start."""


@dataclass(frozen=True, slots=True)
class Up:
    """What is running.

    Attributes:
        api: the API address of Prefect's server.
        ui: the address for a browser.
        children: our processes; when one ends, all do.
    """

    api: str
    ui: str
    children: tuple[Child, ...]

    async def until_one_ends(self) -> Child:
        """Return the first of our processes that ended, which none should."""
        waits = {asyncio.create_task(one.process.wait()): one for one in self.children}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return waits[done.pop()]


@asynccontextmanager
async def up(data_dir: Path, prefect: profile.PrefectServer) -> AsyncIterator[Up]:
    """Run everything for the length of the block.

    Args:
        data_dir: Prefect's files go to `prefect/` in it, logs to `logs/`.
        prefect: which server of Prefect's.

    Raises:
        ServerTrouble: the port is taken, or the server does not answer.
    """
    home, logs = data_dir / "prefect", data_dir / "logs"
    api = prefect.api
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    adopt_orphans()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(end_orphans)
        children = []
        if prefect.another is None:
            check_port(prefect.host, prefect.port)
            children.append(await stack.enter_async_context(_server(home, logs, prefect)))
            await _answering(children[0], api)
            await close_abandoned_runs(api, profile.worker_name(data_dir))
        else:
            await wait_until_it_answers(api, 10)
        await make_work_pool(api)
        # The worker needs seconds to start: it does so while Prefect's command deploys.
        children.append(await stack.enter_async_context(_worker(data_dir, api)))
        await deploy(profile.client_environment(home, api), logs / "deploy.log")
        yield Up(api, api.removesuffix("/api"), tuple(children))


async def _answering(started: Child, api: str) -> None:
    """Wait for the server, but not for one that has ended."""
    answer = asyncio.create_task(wait_until_it_answers(api, START))
    end = asyncio.create_task(started.process.wait())
    try:
        await asyncio.wait((answer, end), return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            raise ServerTrouble(f"Prefect's server ended at its start: read {started.log}")
        await answer
    finally:
        answer.cancel()
        end.cancel()


@asynccontextmanager
async def _server(home: Path, logs: Path, prefect: profile.PrefectServer) -> AsyncIterator[Child]:
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", prefect.host)
    environment = profile.server_environment(home, prefect.api, prefect.host, prefect.cluster)
    async with child(
        "Prefect's server",
        (*command, "--port", str(prefect.port)),
        environment,
        logs / "server.log",
        stands_back=True,  # it keeps the books: those who set statuses need not wait for it
    ) as process:
        yield process


@asynccontextmanager
async def _worker(data_dir: Path, api: str) -> AsyncIterator[Child]:
    command = (sys.executable, "-m", "prefect", "worker", "start", "--type", "process")
    ours = ("--pool", profile.WORK_POOL, "--name", profile.worker_name(data_dir))
    environment = {**profile.worker_environment(data_dir / "prefect", api), VARIABLE: "1"}
    log = data_dir / "logs" / "worker.log"
    async with child("the worker", (*command, *ours), environment, log) as process:
        yield process
