"""The holder's sign of life, by the database's own clock: machines may disagree about theirs."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from secrets import token_hex
from time import monotonic

from sqlalchemy import ColumnElement, func
from sqlmodel import col, delete, select, update

from lastword.holder.lock import AnotherHolder
from models import HolderBeat
from models.database import Database
from models.errors import DatabaseTrouble
from models.types import UTCDateTime

EVERY = 5.0
"""Seconds between two signs of life."""
DEAD = timedelta(seconds=20)
"""A holder that gave none for so long is not there."""

log = logging.getLogger(__name__)
_NOW = func.now(type_=UTCDateTime())


async def alive_since(database: Database) -> datetime | None:
    """Return since when there has been a holder; None: there is none now.

    Raises:
        DatabaseTrouble: it cannot be asked for.
    """
    query = select(HolderBeat.started_at, HolderBeat.beat_at, _NOW)
    async with database.session() as session:
        found = (await session.exec(query)).first()
    if found is None:
        return None
    started_at, beat_at, present = found
    # Of the future: the database's clock was set back, and the next sign of life puts it right.
    return started_at if abs(present - beat_at) < DEAD else None


class Heartbeat:
    """Signs of life of this process: `begin`, then `beat_on`; in the end, `end`.

    Args:
        database: where to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token = token_hex(16)
        self._last = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether runs take us for alive."""
        return monotonic() - self._last < DEAD.total_seconds()

    async def begin(self) -> None:
        """Take the place of a holder that died; call it with the lock held."""
        async with self._database.writing() as session:
            present = (await session.exec(select(_NOW))).one()
            await session.merge(
                HolderBeat(id=1, token=self._token, started_at=present, beat_at=present)
            )
        self._last = monotonic()

    async def beat_on(self) -> None:
        """Give signs of life for ever; a database that is away for a while stops nothing.

        Raises:
            AnotherHolder: another process has taken our place.
        """
        while True:
            await asyncio.sleep(EVERY)
            try:
                async with self._database.writing() as session:
                    beat = update(HolderBeat).where(self._is_ours()).values(beat_at=_NOW)
                    if not (await session.exec(beat)).rowcount:
                        raise AnotherHolder
            except DatabaseTrouble as error:
                log.warning("no sign of life: %s", error)
            else:
                self._last = monotonic()

    async def end(self) -> None:
        """Tell runs at once that nobody is here."""
        with suppress(DatabaseTrouble):
            async with self._database.writing() as session:
                await session.exec(delete(HolderBeat).where(self._is_ours()))

    def _is_ours(self) -> ColumnElement[bool]:
        return col(HolderBeat.token) == self._token
