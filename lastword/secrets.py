"""The keyring: the passwords of accounts, and the check that this is the database's own key."""

from pathlib import Path
from typing import Self

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.errors import Rejected
from lastword.keyfile import KeyExists, KeyTrouble, create_key, read_key
from lastword.sealing import Seal, SealBroken, SealedFor, key_id_of
from lastword.settings import Settings
from models import Account, KeyCheck
from models.database import Database

__all__ = ["KeyExists", "KeyTrouble", "Keyring", "SealBroken", "SealedFor"]

_CANARY = "last word"
_CANARY_PLACE = SealedFor("key_check", "canary", 1, "")


class Keyring(Seal):
    """Seals and opens secrets with the key of this installation.

    Args:
        key: 32 bytes.
        origin: where the key came from, for messages.
    """

    def __init__(self, key: bytes, origin: str = "the key") -> None:
        super().__init__(key)
        self._origin = origin

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Return a keyring with the key of the settings.

        Raises:
            KeyTrouble: there is none, others may read it, or it is malformed.
        """
        return cls(*read_key(settings))

    @staticmethod
    def create(path: Path) -> None:
        """Make a new key in a file that only its owner may read; see `create_key`."""
        create_key(path)

    def seal_password(self, account: Account, password: SecretStr | str) -> str:
        """Return the token to keep as `account.secret`; it opens for this account and server."""
        text = password.get_secret_value() if isinstance(password, SecretStr) else password
        return self.seal(text, SealedFor.account(account, "secret"))

    def open_password(self, account: Account) -> str:
        """Return the account's password.

        Raises:
            Rejected: there is none, or it does not open: the owner has to set it again.
        """
        again = f"`lastword accounts edit {account.name} --password`"
        if not account.secret:
            raise Rejected(f"no password is set: {again}")
        try:
            return self.open(account.secret, SealedFor.account(account, "secret"))
        except SealBroken as error:
            raise Rejected(f"the saved password does not open, {error}: {again}") from None

    async def check(self, database: Database) -> None:
        """Return if this is the key that the database was sealed with.

        Raises:
            KeyTrouble: it is another one, or the database was not initialised.
        """
        async with database.session() as session:
            row = await session.get(KeyCheck, 1)
        if row is None:
            raise KeyTrouble("the database does not know its key yet: run `lastword init`")
        self.check_canary(row.canary)

    def check_canary(self, canary: str) -> None:
        """Return if this key opens the sealed known word of a database, or of its backup.

        Raises:
            KeyTrouble: it does not.
        """
        try:
            self.open(canary, _CANARY_PLACE)
        except SealBroken:
            raise self._wrong(key_id_of(canary)) from None

    async def adopt(self, database: Database) -> bool:
        """Make this the key of a database that holds no password sealed with another.

        Returns:
            Whether the database did not know this key before.

        Raises:
            KeyTrouble: the database holds passwords sealed with another key.
        """
        async with database.session() as session:
            row = await session.get(KeyCheck, 1)
            is_known = row is not None and key_id_of(row.canary) == self.key_id
            others = set() if is_known else await sealing_keys(session) - {self.key_id}
            if others:
                raise self._wrong(", ".join(sorted(others)))
            if not is_known:
                canary = self.seal(_CANARY, _CANARY_PLACE)
                await session.merge(KeyCheck(id=1, canary=canary))
                try:
                    await session.commit()
                except IntegrityError:  # another `lastword init` at the same moment
                    is_known = True
        await self.check(database)
        return not is_known

    def _wrong(self, key_id: str) -> KeyTrouble:
        return KeyTrouble(
            f"{self._origin} is not the one of this database (it is {self.key_id}, the passwords"
            f" were sealed with {key_id}): restore the right key"
        )


async def sealing_keys(session: AsyncSession) -> set[str]:
    """Return the ids of the keys that the saved passwords were sealed with."""
    tokens = await session.exec(select(Account.secret).where(col(Account.secret).is_not(None)))
    return {key_id_of(token) for token in tokens if token}
