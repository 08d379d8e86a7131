"""First logins with a password: noted before it is sent, so that a refusal is not forgotten.

A server's refusal is recorded a moment after it came. A process that is killed in this moment
would forget it, and the next one would try the same wrong password again; servers ban for that.
See docs/decisions/0010-first-logins-are-noted.md.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from lastword.errors import LoginRefused
from models import Account
from models.database import Database
from models.held import credentials_of

R = TypeVar("R")

Begin = Callable[[], Awaitable[None]]
"""Awaited at the last moment before a password is sent; raises LoginRefused if it must not be."""

MOST = 2
"""Logins with one password whose end nobody has recorded; a third is not begun."""
_GOOD = "good"


class Trials:
    """Kept in our database; a password that has once been accepted costs nothing any more.

    Args:
        database: ours.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def login(self, account: Account) -> AsyncIterator[Begin]:
        """Note how a login ended when the block does, if its password was sent.

        Args:
            account: the row, detached.

        Yields:
            What notes that the password is about to be sent; it raises LoginRefused where such a
            login was cut off twice already: it may have been refused.
        """
        credentials = credentials_of(account.jid, account.secret)
        good = f"{_GOOD} {credentials}"
        # Without an id it is nobody's yet, and nothing is saved either.
        is_known = account.id is None or account.trial == good
        is_noted = False

        async def begin() -> None:
            nonlocal is_noted
            if is_known:
                return
            is_noted = True  # also where this is given up in the middle
            try:
                is_noted = await self._begin(account, credentials)
            except LoginRefused:
                is_noted = False  # by this login: what others noted stands
                raise

        try:
            yield begin
        except LoginRefused:  # recorded by who asked for the login; until then this note stands
            raise
        except Exception:
            if is_noted:
                await self._note(account, credentials, None)
            raise
        if is_noted:
            await self._note(account, credentials, good)

    async def _begin(self, account: Account, credentials: str) -> bool:
        """Note it; return False where the password is known to be good."""
        begun = await self._change(account, lambda row: _begun(row, credentials))
        return begun is not False

    async def _note(self, account: Account, credentials: str, trial: str | None) -> None:
        """Note how it ended, unless the next one has begun with another password."""

        def note(row: Account) -> None:
            if row.trial and row.trial.endswith(credentials):
                row.trial = trial

        await self._change(account, note)

    async def _change(self, account: Account, change: Callable[[Account], R]) -> R | None:
        """Change the account's row; None where it is there no more."""
        if account.id is None:
            return None
        return await self._database.accounts.change(account.id, lambda _, row: change(row))


def _begun(row: Account, credentials: str) -> bool:
    state, _, of = (row.trial or "").partition(" ")
    cut_off = int(state) if of == credentials and state.isdecimal() else 0
    if of == credentials and state == _GOOD:
        return False
    if cut_off >= MOST:
        raise LoginRefused(
            f"a login was cut off {MOST} times before its answer was saved, so the password"
            f" may be wrong: set it again with `lastword accounts edit {row.name} --password`"
        )
    row.trial = f"{cut_off + 1} {credentials}"
    return True
