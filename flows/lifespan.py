"""What the tasks of a run share, opened and closed on the task runner's loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lastword.services import open_services, use
from lastword.settings import Settings
from lastword.wrong_settings import told_as_systemic


@asynccontextmanager
async def services_of_shard() -> AsyncIterator[None]:
    """Open the services of one of several processes, and make them those of every task run."""
    with told_as_systemic():
        settings = Settings()
        async with open_services(settings, settings.shards_at_once) as services:
            with use(services):
                yield


@asynccontextmanager
async def shared_services() -> AsyncIterator[None]:
    """Open the services and make them those of every task run."""
    with told_as_systemic():
        async with open_services(Settings()) as services:
            with use(services):
                yield
