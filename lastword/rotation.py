"""A new key in place of the old one, while runs go on, and whenever it is killed.

The order in which things are done keeps each key on disk for as long as anything is sealed with
it: the key file holds both keys; the database says that another is coming; all is sealed anew, a
few accounts at a time; in one transaction the last ones, and from then on the new key seals; once
no run is under way that knew only the old one, the key file forgets that. Begun again after any
of these steps, it goes on with the next.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, delete, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.keyfile import (
    KeyTrouble,
    alone_with,
    is_mounted,
    new_key,
    read_keys,
    replace_keys,
)
from lastword.sealing import SealBroken, SealedFor, key_id_of, sealed_columns, split
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import Account, KeyCheck
from models.database import Database
from models.key_check import NEXT, PRESENT
from models.run_lock import RunUnderWay, run_lock

AT_ONCE = 100
"""Accounts in one transaction: others wait for it some milliseconds."""
_AGAIN = 1.0
"""Seconds between two looks whether the run has ended."""

GIVE = "write a new one after it, with a space between the two, and restart all; see docs/keys.md"
"""What the operator has to do where the key is not ours to replace."""

Tell = Callable[[str], None]


@dataclass
class Keys:
    """Which keys there are, and what is sealed with each.

    Attributes:
        origin: where they are from.
        held: the ids of those that are here.
        present: the id of the one that seals.
        sealed: how many values by key id and column.
        file: the key file that a rotation rewrites; None: it is given from outside.
    """

    origin: str
    held: tuple[str, ...]
    present: str
    sealed: dict[str, Counter[str]]
    file: Path | None


@dataclass
class Rotated:
    """What a rotation did.

    Attributes:
        before: the id of the key of before.
        key_id: the id of the key that seals now.
        unopened: names of accounts whose password does not open with any key that is here.
        forgotten: whether the key of before is out of the key file; else it has to be taken away
            from where it is given.
    """

    before: str
    key_id: str
    unopened: list[str]
    forgotten: bool


async def look(settings: Settings, database: Database) -> Keys:
    """Return which keys there are.

    Raises:
        KeyTrouble: there is none, or not the database's own.
    """
    keyring = Keyring.load(settings)
    await keyring.check(database)
    sealed: dict[str, Counter[str]] = {}
    columns = sealed_columns()
    async with database.session() as session:
        for row in await session.exec(select(*(getattr(Account, name) for name in columns))):
            for name, value in zip(columns, row, strict=True):
                if value:
                    sealed.setdefault(key_id_of(value), Counter())[name] += 1
    return Keys(keyring.origin, keyring.key_ids, keyring.key_id, sealed, file_of(settings))


async def rotate(settings: Settings, database: Database, tell: Tell) -> Rotated:
    """Seal everything with a new key: a new one in the key file, or the second one that is given.

    Args:
        settings: say where the key is.
        database: ours.
        tell: called with what is waited for.

    Raises:
        KeyTrouble: the key is not the database's own, cannot be replaced, or is given from
            outside without a second one.
    """
    file = file_of(settings)
    with alone_with(file) if file else nullcontext():
        here, origin = read_keys(settings)
        await Keyring(*here, origin=origin).check(database)
        if len(here) == 1:
            if file is None:
                raise KeyTrouble(f"{origin} is given from outside: {GIVE}")
            here.append(new_key())
            replace_keys(file, here)
        rotation = _Rotation(database, Keyring(*here, origin=origin))
        await rotation.announce()
        await rotation.seal_all()
        await rotation.conclude()
        async with _no_run(database, tell):
            await rotation.seal_all()
            if file:
                replace_keys(file, here[-1:])
    before, key_id = rotation.keyring.key_ids
    return Rotated(before, key_id, sorted(rotation.unopened), forgotten=bool(file))


def file_of(settings: Settings) -> Path | None:
    """Return the key file that is ours to rewrite; None: the key is given from outside."""
    path = settings.key_path
    is_ours = settings.key is None and not is_mounted(path) and os.access(path.parent, os.W_OK)
    return path if is_ours else None


class _Rotation:
    """From whichever keys to the last of the keyring's.

    Attributes:
        keyring: seals with that.
        unopened: names of accounts whose password no key here opens.
    """

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.keyring = keyring
        self.unopened: set[str] = set()
        self._database = database
        keyring.seal_with(keyring.key_ids[-1])

    async def announce(self) -> None:
        """Let the database say which key is coming: who does not have it, is to stop."""
        async with self._database.writing() as session:
            if not await self._is_present(session):
                await session.merge(KeyCheck(id=NEXT, canary=self.keyring.canary()))

    async def seal_all(self) -> None:
        """Seal what is not yet sealed with the new key, a few accounts at a time."""
        last: int | None = 0
        while last is not None:
            async with self._database.writing() as session:
                last = await self._seal_some(session, last)

    async def conclude(self) -> None:
        """From now on the new key seals; whoever is about to seal waits for that, or was first."""
        async with self._database.writing() as session:
            if await self._is_present(session):
                return
            last: int | None = 0
            while last is not None:
                last = await self._seal_some(session, last)
            await session.merge(KeyCheck(id=PRESENT, canary=self.keyring.canary()))
            await session.exec(delete(KeyCheck).where(col(KeyCheck.id) == NEXT))

    async def _is_present(self, session: AsyncSession) -> bool:
        query = select(KeyCheck.canary).where(KeyCheck.id == PRESENT).with_for_update()
        return key_id_of((await session.exec(query)).one()) == self.keyring.key_id

    async def _seal_some(self, session: AsyncSession, after: int) -> int | None:
        """Seal some accounts' values anew and return the last one's id; None: there was none."""
        columns = [col(getattr(Account, name)) for name in sealed_columns()]
        is_old = or_(*(column.not_like(f"%.{self.keyring.key_id}.%") for column in columns))
        query = select(Account).where(col(Account.id) > after, is_old).order_by(col(Account.id))
        found = (await session.exec(query.limit(AT_ONCE).with_for_update())).all()
        for account in found:
            for column in sealed_columns():
                self._seal(account, column)
        return found[-1].id if found else None

    def _seal(self, account: Account, column: str) -> None:
        value = getattr(account, column)
        if value is None or key_id_of(value) == self.keyring.key_id:
            return
        words, token = split(value)
        try:
            anew = words + self.keyring.seal_again(token, SealedFor.account(account, column))
        except SealBroken:
            if column == "secret":  # it may be opened yet, by a key that is given back
                self.unopened.add(account.name)
                return
            anew = None  # a session that nobody can resume
        setattr(account, column, anew)


@asynccontextmanager
async def _no_run(database: Database, tell: Tell) -> AsyncIterator[None]:
    """Wait until no run is under way; for the length of the block none begins."""
    async with AsyncExitStack() as stack:
        has_told = False
        while True:
            try:
                await stack.enter_async_context(run_lock(database))
                break
            except RunUnderWay:
                if not has_told:
                    tell("Everything is sealed with the new key. Waiting for the run to end …")
                has_told = True
                await asyncio.sleep(_AGAIN)
        yield
