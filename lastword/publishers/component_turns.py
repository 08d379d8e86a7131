"""The right to be connected to a server as its component, among processes that share a database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from models.database import Database
from models.lock import Lock, holding

SERVERS = 4
"""Servers that a process has its turn at, at a time: each takes a connection to our database."""


class ComponentTurns:
    """Those of one process, at all servers.

    Args:
        database: ours.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = asyncio.Semaphore(SERVERS)

    @asynccontextmanager
    async def turn(self, domain: str) -> AsyncIterator[None]:
        """Hold the right for one server.

        Raises:
            Locked: another process has it.
            DatabaseTrouble: our database cannot be asked.
        """
        async with self._places, holding(self._database, _lock_of(domain)):
            yield


def _lock_of(domain: str) -> Lock:
    mark = sha256(domain.encode()).digest()[:7]
    # Below 0, where no lock that is numbered has its key.
    return Lock(f"operator-{mark.hex()}", -int.from_bytes(mark) - 1)
