"""What the holder has to tell the runs, written in few transactions, also after an outage."""

import asyncio
import logging
from typing import Any

from sqlmodel import col, update

from lastword.holder.wishes import forget_others, make_rows
from models import Held
from models.database import Database
from models.errors import DatabaseTrouble

log = logging.getLogger(__name__)

_AGAIN = 5.0


class Notes:
    """Takes notes at any time, and writes them as soon as it can.

    Args:
        database: where to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notes: dict[int, dict[str, Any]] = {}
        self._is_there = asyncio.Event()

    def add(self, account_id: int, **values: Any) -> None:  # noqa: ANN401 (as the columns are)
        """Note what is true of an account from now on, by column of `Held`."""
        self._notes[account_id] = self._notes.get(account_id, {}) | values
        self._is_there.set()

    async def write_on(self) -> None:
        """Write for ever; a database that is away for a while loses nothing."""
        while True:
            await self._is_there.wait()
            try:
                await self.write()
            except DatabaseTrouble as error:
                log.warning("nothing can be noted: %s", error)
                await asyncio.sleep(_AGAIN)

    async def write(self) -> None:
        """Write what there is.

        Raises:
            DatabaseTrouble: it was not written, and stays.
        """
        self._is_there.clear()
        notes, self._notes = self._notes, {}
        try:
            async with self._database.writing() as session:
                for account_id, values in sorted(notes.items()):
                    row = update(Held).where(col(Held.account_id) == account_id)
                    await session.exec(row.values(**values))
        except BaseException:
            self._notes = {
                id_: notes.get(id_, {}) | self._notes.get(id_, {}) for id_ in {*notes, *self._notes}
            }
            self._is_there.set()
            raise

    async def begin(self) -> None:
        """Wipe out what a holder that died has left: none of its sessions is there any more."""
        async with self._database.writing() as session:
            await forget_others(session)
            await make_rows(session)
            await session.exec(update(Held).values(up_since=None, shown=None))
