"""What the tasks of a run share, opened and closed on the task runner's loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lastword.services import open_services, use
from lastword.settings import Settings


@asynccontextmanager
async def services_of_shard() -> AsyncIterator[None]:
    """Open the services of one of several processes, and make them those of every task run."""
    settings = Settings()
    async with open_services(settings, settings.shards_at_once) as services:
        with use(services):
            yield


@asynccontextmanager
async def shared_services() -> AsyncIterator[None]:
    """Open the services and make them those of every task run."""
    async with open_services(Settings()) as services:
        with use(services):
            yield
