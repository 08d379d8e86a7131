"""What the holder wrote of accounts, read for many at once: a run asks for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from lastword.holder.heartbeat import alive_since
from models import Account, Held
from models.account_rows import AT_ONCE
from models.database import Database
from models.gathering import Gathering


@dataclass(frozen=True, slots=True)
class Seen:
    """How an account stands with the holder.

    Attributes:
        held: its row; None: it has none.
        is_alive: whether there is a holder.
    """

    held: Held | None
    is_alive: bool


class Looks:
    """Looks for all who ask at once; what they are told is never older than their question.

    Args:
        database: ours.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathered = Gathering(self._together, self._alone, AT_ONCE)

    async def at(self, account: Account) -> Seen:
        """Return how an account stands.

        Raises:
            DatabaseTrouble: see `Database.session`.
        """
        return await self._gathered.do(account.id or 0)

    async def close(self) -> None:
        """Wait until nothing is under way."""
        await self._gathered.settle()

    async def _together(self, keys: Sequence[int]) -> Sequence[Seen]:
        return await look(self._database, keys)

    async def _alone(self, key: int) -> Seen:
        (seen,) = await look(self._database, [key])
        return seen


async def look(database: Database, keys: Sequence[int]) -> list[Seen]:
    """Return how accounts stand with the holder, in the order of their ids as given."""
    query = select(Held).where(col(Held.account_id).in_(set(keys)))
    async with database.session() as session:
        rows = {row.account_id: row for row in await session.exec(query)}
    is_alive = await alive_since(database) is not None
    return [Seen(rows.get(key), is_alive) for key in keys]
