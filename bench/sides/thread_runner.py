"""The same task on Prefect's own thread runner, which gives each async task a loop of its own.

What belongs to a loop each task must then open for itself: the HTTP client, the database's
connections, the limiters. What does not is shared here, too: the TLS context, which costs the
most, the settings, the key.
"""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ssl import SSLContext
from typing import Any, cast

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.futures import as_completed
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from bench.sides.ends import begin, end
from flows.run_here import DRAIN
from lastword.publishers import build_publishers
from lastword.runs import AccountRef
from lastword.secrets import Keyring
from lastword.services import Services, tls_context, use
from lastword.settings import Settings
from lastword.sources import build_sources
from lastword.sources.http import GuardedClient
from models.database import Database
from tasks.options import retried
from tasks.sync_account import sync_account

Shared = tuple[Settings, SSLContext, Keyring]


@asynccontextmanager
async def _services(settings: Settings, tls: SSLContext, keyring: Keyring) -> AsyncIterator[None]:
    """Open what belongs to one loop, and make it what the task works with."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database, check=False))
        http = await stack.enter_async_context(GuardedClient(settings, tls))
        publishers = build_publishers(settings, tls, keyring.open_password, keyring, database)
        for publisher in publishers.values():
            stack.push_async_callback(publisher.close)
        sources = build_sources(http)
        services = Services(settings, database, http, sources, publishers, stack, keyring=keyring)
        with use(services):
            yield


@retried(name="sync-account", task_run_name="sync {account.name}")
async def sync_alone(account: AccountRef, run_id: int, shared: Shared) -> State[object]:
    """Sync one account, as `sync_account` does, on a loop that nobody shares."""
    async with _services(*shared):
        return await sync_account.fn(account, run_id)


@flow(name="sync-accounts-in-threads", persist_result=False)
def sync_in_threads() -> dict[str, int]:
    """Choose, map, follow, close: what `sync_accounts` does, without what it tells people."""
    settings = Settings()
    shared = settings, tls_context(settings), Keyring.load(settings)
    retry = settings.retry_seconds
    run_id, refs = asyncio.run(begin(flow_run.id))
    futures = sync_alone.with_options(retry_delay_seconds=[retry, 2 * retry]).map(
        refs, run_id, unmapped(shared)
    )
    for future in as_completed(list(futures)):
        future.wait()
    return asyncio.run(end(run_id, len(refs)))


if __name__ == "__main__":
    # Each loop has files of its own, and the usual limit is a thousand.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # None: as many as there are task runs, which is how Prefect has it by itself.
    runner = ThreadPoolTaskRunner[Any](max_workers=json.load(sys.stdin)["threads"])
    outcomes = sync_in_threads.with_options(task_runner=cast("TaskRunner[Any]", runner))()
    APILogWorker.drain_all(timeout=DRAIN)
    EventsWorker.drain_all(timeout=DRAIN)
    sys.stdout.write(json.dumps({"outcomes": outcomes}))
