"""Accounts as hundreds of tasks need them at once: many to a query, many to a transaction."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.account import Account
from models.gathering import ALONE, Alone, Gathering

R = TypeVar("R")
Change = Callable[[AsyncSession, Account], R]
"""Changes a row that is locked for it, and may add others; must do no I/O, and may be called again
where the transaction failed."""

AT_ONCE = 100
"""Rows in one query or transaction: the event loop is busy with them for some milliseconds."""


class AccountRows:
    """Reads and changes accounts by their ids.

    Args:
        session: gives a session.
        writing: gives one whose transaction is committed when its block ends.
    """

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[AsyncSession]],
        writing: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    ) -> None:
        self._session = session
        self._writing = writing
        self._loads = Gathering(self._load_together, self._load_alone, AT_ONCE)
        self._changes = Gathering(self._change_together, self._change_alone, AT_ONCE)

    async def load(self, key: int) -> Account | None:
        """Return an account, detached, or None where it is there no more.

        Raises:
            DatabaseTrouble: see `Database.session`.
        """
        return await self._loads.do(key)

    async def change(self, key: int, change: Change[R]) -> R | None:
        """Change an account's row; return what `change` did once that is committed.

        The rows of one transaction are those that nobody else has locked: who waits for another's
        lock does so in a transaction of its own. None where the account is there no more.

        Raises:
            DatabaseTrouble: see `Database.writing`.
            Exception: what `change` raised.
        """
        return cast("R | None", await self._changes.do((key, change)))

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self._loads.settle()
        await self._changes.settle()

    async def _load_together(self, keys: Sequence[int]) -> Sequence[Account | Alone | None]:
        async with self._session() as session:
            rows = await session.exec(select(Account).where(col(Account.id).in_(set(keys))))
            found = {account.id: account for account in rows}
        # A row belongs to one task: who asks for the same gets its own.
        return [ALONE if key in keys[:place] else found.get(key) for place, key in enumerate(keys)]

    async def _load_alone(self, key: int) -> Account | None:
        async with self._session() as session:
            return await session.get(Account, key)

    async def _change_together(
        self, changes: Sequence[tuple[int, Change[Any]]]
    ) -> Sequence[object]:
        of_these = col(Account.id).in_({key for key, _ in changes})
        async with self._writing() as session:
            query = select(Account).where(of_these).with_for_update(skip_locked=True)
            found = {account.id: account for account in await session.exec(query)}
            return [
                change(session, found[key]) if key in found else ALONE for key, change in changes
            ]

    async def _change_alone(self, item: tuple[int, Change[Any]]) -> object:
        key, change = item
        async with self._writing() as session:
            account = await session.get(Account, key, with_for_update=True)
            return None if account is None else change(session, account)
