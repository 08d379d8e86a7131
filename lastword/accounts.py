"""What people do with accounts, without any terminal: each function is one transaction."""

import unicodedata
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.errors import LoginRefused
from lastword.rewire import end_quarantine, rewire
from lastword.secrets import Keyring
from lastword.usage import UsageError
from lastword.wiring import Wiring
from models import Account, Health
from models.database import Database


async def find(database: Database, name: str) -> Account:
    """Return the account of that name.

    Raises:
        UsageError: there is none; the message names one that is spelt alike.
    """
    async with database.session() as session:
        return await _find(session, name)


async def list_accounts(database: Database, health: Health | None = None) -> list[Account]:
    """Return all accounts, or those of one health, by name."""
    query = select(Account).order_by(Account.name)
    if health:
        query = query.where(Account.health == health)
    async with database.session() as session:
        return list(await session.exec(query))


async def add(
    database: Database,
    wiring: Wiring,
    *,
    password: SecretStr | None = None,
    keyring: Keyring | None = None,
) -> Account:
    """Add an account.

    Args:
        database: ours.
        wiring: checked.
        password: the user's, where the publisher needs one.
        keyring: seals it; only needed with a password.

    Raises:
        UsageError: the name is taken.
    """
    async with database.writing() as session:
        account = Account(**wiring.values())
        session.add(account)
        await _flush(session, wiring.name)
        if password and keyring:
            await keyring.settle(session)
            account.secret = keyring.seal_password(account, password)
    return account


async def check_free(database: Database, name: str) -> None:
    """Return if no account has that name yet.

    Raises:
        UsageError: one has.
    """
    async with database.session() as session:
        if (await session.exec(select(Account.id).where(Account.name == name))).first():
            raise _taken(name)


async def edit(
    database: Database,
    name: str,
    changes: dict[str, Any],
    *,
    password: SecretStr | None = None,
    keyring: Keyring | None = None,
) -> Account:
    """Change an account's wiring, with all that follows from it; see `rewire`.

    Args:
        database: ours.
        name: the account's name.
        changes: checked values by column of `Wiring`.
        password: a new password.
        keyring: seals it; only needed with a password.

    Raises:
        UsageError: there is no such account, its new name is taken, or its JID moves to another
            server without the password for it.
    """
    async with database.writing() as session:
        if keyring:
            await keyring.settle(session)
        account = await _find(session, name, lock=True)
        to = replace(Wiring.of(account), **changes)
        try:
            rewire(account, to, password=password, keyring=keyring)
        except UsageError as error:
            raise UsageError(f"{error}: add --password") from None
        await _flush(session, to.name)
    return account


async def pause(database: Database, name: str) -> Account:
    """Leave an account out of runs until it is resumed. See `edit`."""
    return await edit(database, name, {"active": False})


async def resume(database: Database, name: str) -> Account:
    """Take an account into runs again, paused or not; see `find`.

    Its owner says so, and that ends a quarantine; but a refused login stays refused until the
    password changes.
    """
    async with database.writing() as session:
        account = await _find(session, name, lock=True)
        account.active = True
        if account.last_error != LoginRefused.__name__:
            end_quarantine(account)
    return account


async def remove(database: Database, name: str) -> None:
    """Remove an account, its password and its history. See `find`."""
    async with database.writing() as session:
        await session.delete(await _find(session, name, lock=True))


async def _find(session: AsyncSession, name: str, *, lock: bool = False) -> Account:
    name = unicodedata.normalize("NFC", name)
    query = select(Account).where(Account.name == name)
    # The same lock that a run takes to record an outcome: neither overwrites the other's words.
    query = query.with_for_update() if lock else query
    if account := (await session.exec(query)).first():
        return account
    names = (await session.exec(select(Account.name).order_by(col(Account.name)))).all()
    if close := get_close_matches(name, names, n=1):
        raise UsageError(f"there is no account {name!r}: did you mean {close[0]!r}?")
    raise UsageError(f"there is no account {name!r}: see `lastword accounts list`")


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise _taken(name) from None


def _taken(name: str) -> UsageError:
    return UsageError(
        f"there is an account {name!r} already: choose another name,"
        f" or change it by `lastword accounts edit {name}`"
    )
