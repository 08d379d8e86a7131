"""The keyring: the passwords of accounts, and the check that this is the database's own key.

There is one key, or there are two while one is being replaced (see `lastword.rotation`). Which of
them seals, the database says: the one that its known word is sealed with.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import SecretBytes, SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.errors import Deferred, Rejected
from lastword.keyfile import KeyExists, KeyTrouble, create_key, read_keys
from lastword.sealing import OtherKey, Seal, SealBroken, SealedFor, key_id_of, sealed_columns
from lastword.settings import Settings
from models import Account, KeyCheck
from models.database import Database
from models.key_check import NEXT, PRESENT

__all__ = ["KeyExists", "KeyTrouble", "Keyring", "SealBroken", "SealedFor"]

_CANARY = SecretStr("last word")
_CANARY_PLACE = SealedFor("key_check", "canary", 1, "")


class Keyring:
    """Seals and opens secrets with the keys of this installation, and never shows them.

    Args:
        keys: 32 bytes each; the first seals, until the database says otherwise.
        origin: where they came from, for messages.
        settings: where to look for keys that have come since; None: nowhere.

    Attributes:
        key_id: of the key that seals.
        origin: see above.
    """

    def __init__(
        self, *keys: SecretBytes, origin: str = "the key", settings: Settings | None = None
    ) -> None:
        self._take(keys)
        self.origin = origin
        self._settings = settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_id})"

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Return a keyring with the keys of the settings.

        Raises:
            KeyTrouble: there is none, others may read it, or it is malformed.
        """
        keys, origin = read_keys(settings)
        return cls(*keys, origin=origin, settings=settings)

    @staticmethod
    def create(path: Path) -> None:
        """Make a new key in a file that only its owner may read; see `create_key`."""
        create_key(path)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys here, the one to come last."""
        return tuple(self._seals)

    def seal(self, text: SecretStr, place: SealedFor) -> str:
        """Return a token that opens only for this place; see `Seal.seal`."""
        return self._seals[self.key_id].seal(text, place)

    def open(self, token: str, place: SealedFor) -> SecretStr:
        """Return what was sealed, with whichever key that is here, or has come since.

        Raises:
            SealBroken: it does not open.
        """
        return self._of(key_id_of(token)).open(token, place)

    def seal_again(self, token: str, place: SealedFor) -> str:
        """Return the same, sealed with the key that seals; see `Seal.seal_again`."""
        return self._seals[self.key_id].seal_again(token, place, self._of(key_id_of(token)))

    def mark(self, text: SecretStr) -> str:
        """Return a word by which the same text is known again; see `Seal.mark`."""
        return self._seals[self.key_id].mark(text)

    def seal_with(self, key_id: str) -> None:
        """Seal with this key from now on.

        Raises:
            KeyTrouble: it is not here.
        """
        if not self._has(key_id):
            raise self._wrong(key_id)
        self.key_id = key_id

    def canary(self) -> str:
        """Return the known word, sealed."""
        return self.seal(_CANARY, _CANARY_PLACE)

    def seal_password(self, account: Account, password: SecretStr) -> str:
        """Return the token to keep as `account.secret`; it opens for this account and server.

        `settle` comes before, in the transaction that saves it.
        """
        return self.seal(password, SealedFor.account(account, "secret"))

    def open_password(self, account: Account) -> SecretStr:
        """Return the account's password.

        Raises:
            Rejected: there is none, or it does not open: the owner has to set it again.
            Deferred: its key is not here, which is the operator's affair.
        """
        again = f"`lastword accounts edit {account.name} --password`"
        if not account.secret:
            raise Rejected(f"no password is set: {again}")
        try:
            return self.open(account.secret, SealedFor.account(account, "secret"))
        except OtherKey:
            raise Deferred(
                f"the saved password was sealed with key {key_id_of(account.secret)}, which is not"
                f" here: give that key back (`lastword keys show`), or {again}"
            ) from None
        except SealBroken as error:
            raise Rejected(f"the saved password does not open, {error}: {again}") from None

    async def check(self, database: Database) -> None:
        """Return if this is the key that the database was sealed with, and seal with it.

        Raises:
            KeyTrouble: it is another one, a new one has come that is not here, or the database
                was not initialised.
        """
        async with database.session() as session:
            row = await session.get(KeyCheck, PRESENT)
            coming = await session.get(KeyCheck, NEXT)
        if row is None:
            raise KeyTrouble("the database does not know its key yet: run `lastword init`")
        self.check_canary(row.canary)
        self.key_id = key_id_of(row.canary)
        if coming and not self._has(key_id_of(coming.canary)):
            raise KeyTrouble(
                f"the passwords are being sealed with a new key, {key_id_of(coming.canary)}, which"
                f" {self.origin} does not hold: give it both keys, see docs/keys.md"
            )

    def check_canary(self, canary: str) -> None:
        """Return if a key here opens the sealed known word of a database, or of its backup.

        Raises:
            KeyTrouble: none does.
        """
        try:
            self.open(canary, _CANARY_PLACE)
        except SealBroken:
            raise self._wrong(key_id_of(canary)) from None

    async def settle(self, session: AsyncSession) -> None:
        """Seal with the database's key of this moment, and hold that for this transaction.

        Raises:
            KeyTrouble: it is not here.
        """
        query = select(KeyCheck).where(KeyCheck.id == PRESENT).with_for_update(read=True)
        if row := (await session.exec(query)).first():
            self.seal_with(key_id_of(row.canary))

    async def adopt(self, database: Database) -> bool:
        """Make this the key of a database that holds nothing sealed with another.

        Returns:
            Whether the database did not know this key before.

        Raises:
            KeyTrouble: the database holds passwords sealed with another key.
        """
        async with database.session() as session:
            row = await session.get(KeyCheck, PRESENT)
            is_known = row is not None and key_id_of(row.canary) in self._seals
            others = set() if is_known else await sealing_keys(session) - {self.key_id}
            if others:
                raise self._wrong(", ".join(sorted(others)))
            if not is_known:
                await session.merge(KeyCheck(id=PRESENT, canary=self.canary()))
                try:
                    await session.commit()
                except IntegrityError:  # another `lastword init` at the same moment
                    is_known = True
        await self.check(database)
        return not is_known

    def _take(self, keys: Sequence[SecretBytes]) -> None:
        self._seals = {seal.key_id: seal for seal in map(Seal, keys)}
        if getattr(self, "key_id", None) not in self._seals:
            self.key_id = next(iter(self._seals))

    def _has(self, key_id: str) -> bool:
        """Tell whether a key is here; what has come since this process began is taken in."""
        if key_id not in self._seals and self._settings:
            with suppress(KeyTrouble):  # what was read before still opens what it did
                self._take(read_keys(self._settings)[0])
        return key_id in self._seals

    def _of(self, key_id: str) -> Seal:
        if not self._has(key_id):
            raise OtherKey("it was sealed with another key")
        return self._seals[key_id]

    def _wrong(self, key_id: str) -> KeyTrouble:
        return KeyTrouble(
            f"{self.origin} is not the one of this database (it is {' and '.join(self.key_ids)},"
            f" the passwords were sealed with {key_id}): restore the right key"
        )


async def sealing_keys(session: AsyncSession) -> set[str]:
    """Return the ids of the keys that passwords and sessions were sealed with."""
    columns = [getattr(Account, name) for name in sealed_columns()]
    query = select(*columns).where(or_(*(col(column).is_not(None) for column in columns)))
    return {key_id_of(value) for row in await session.exec(query) for value in row if value}
