"""What the tasks of a run share, opened and closed on the task runner's loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lastword.services import open_services, use
from lastword.settings import Settings


@asynccontextmanager
async def shared_services() -> AsyncIterator[None]:
    """Open the services and make them those of every task run."""
    async with open_services(Settings()) as services:
        with use(services):
            yield
