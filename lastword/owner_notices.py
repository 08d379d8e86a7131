"""Who is to be told about their account, and what has been told, in our own tables."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_
from sqlmodel import col, select

from lastword import owner_words
from lastword.cause_facts import WELL
from lastword.health import EVERY, LONGEST
from models import Account, Health, OwnerNotice, RefusedNotifier
from models.database import Database
from models.types import now


@dataclass(frozen=True, slots=True)
class Notice:
    """One message that is due.

    Attributes:
        account_id: whose account it is about.
        jid: whom it goes to.
        body: what it says.
        told: the row once it was told; None: there is nothing left to tell.
        untold: the row where it could not be delivered.
    """

    account_id: int
    jid: str
    body: str
    told: OwnerNotice | None
    untold: OwnerNotice


async def due(database: Database, inhibited: Collection[int], contact: str) -> list[Notice]:
    """Return the messages that are due, those first whose accounts have waited the longest.

    Args:
        database: ours.
        inhibited: ids of accounts whose trouble is their server's, and not their owner's.
        contact: whom owners are to turn to, or empty.
    """
    query = (
        select(Account, OwnerNotice)
        .outerjoin(OwnerNotice, col(OwnerNotice.account_id) == col(Account.id))
        .where(col(Account.active), or_(_waits(), _is_well_again()))
        .order_by(col(Account.health_since), col(Account.id))
    )
    async with database.session() as session:
        rows = (await session.exec(query)).all()
    moment, found = now(), list[Notice]()
    for account, row in rows:
        if account.health is Health.NEEDS_OWNER:
            rests = row and _is_of(account, row) and _rests(row, moment)
            if account.id not in inhibited and not rests:
                found.append(_of_trouble(account, row, moment, contact))
        elif row and not _rests(row, moment):
            found.append(_of_healing(account, row, moment))
    return found


async def forget(database: Database) -> None:
    """Forget notices that need no end: those never told, and those of another JID."""
    well = (
        select(Account.id)
        .join(OwnerNotice, col(OwnerNotice.account_id) == col(Account.id))
        .where(
            col(Account.health) == Health.OK,
            or_(col(OwnerNotice.told_at).is_(None), col(OwnerNotice.jid) != col(Account.jid)),
        )
    )
    async with database.session() as session:
        over = (await session.exec(well)).all()
    if over:
        async with database.writing() as session:
            await session.exec(delete(OwnerNotice).where(col(OwnerNotice.account_id).in_(over)))


async def keep(database: Database, account_id: int, row: OwnerNotice | None) -> None:
    """Keep this as an account's notice, or none."""
    async with database.writing() as session:
        if row is None:
            mine = col(OwnerNotice.account_id) == account_id
            await session.exec(delete(OwnerNotice).where(mine))
        elif await session.get(Account, account_id):  # removed meanwhile: nobody is to be told
            await session.merge(OwnerNotice(**row.model_dump()))


async def was_refused(database: Database, mark: str) -> bool:
    """Tell whether the notifier's login is the one that its server refused."""
    async with database.session() as session:
        row = await session.get(RefusedNotifier, 1)
    return row is not None and row.mark == mark


async def note_refusal(database: Database, mark: str | None) -> None:
    """Note the notifier's login as refused; None: its login was taken."""
    async with database.writing() as session:
        await session.exec(delete(RefusedNotifier))
        if mark:
            session.add(RefusedNotifier(id=1, mark=mark))


def _waits() -> ColumnElement[bool]:
    """Select who waits and was not told; see `_is_of` for what is the same cause."""
    untold = or_(
        col(OwnerNotice.account_id).is_(None),
        col(OwnerNotice.told_at).is_(None),
        and_(
            col(OwnerNotice.edited_at) != col(Account.edited_at),
            col(OwnerNotice.since) != col(Account.health_since),
        ),
    )
    return and_(col(Account.health) == Health.NEEDS_OWNER, untold)


def _is_well_again() -> ColumnElement[bool]:
    return and_(
        col(OwnerNotice.told_at).is_not(None),
        col(OwnerNotice.jid) == col(Account.jid),
        col(Account.health) == Health.OK,
        col(Account.last_outcome).in_(WELL),
        # An older outcome says nothing of what the owner has changed since.
        col(Account.last_at) >= col(Account.edited_at),
        col(Account.last_at) > col(OwnerNotice.since),
    )


def _rests(row: OwnerNotice, moment: datetime) -> bool:
    """Tell whether a message that could not be delivered is not yet to be tried again."""
    if not row.tries:
        return False
    wait: timedelta = min(EVERY * ((1 << min(row.tries - 1, 16)) - 1), LONGEST)
    return row.tried_at <= moment < row.tried_at + wait


def _is_of(account: Account, row: OwnerNotice) -> bool:
    """Tell whether a notice is of the account's present cause.

    It is another one only where people changed something, and it was refused after that.
    """
    return row.edited_at == account.edited_at or row.since == account.health_since


def _of_trouble(
    account: Account, row: OwnerNotice | None, moment: datetime, contact: str
) -> Notice:
    tries = row.tries if row and _is_of(account, row) else 0
    account_id = account.id or 0

    def after(told_at: datetime | None, tries: int) -> OwnerNotice:
        return OwnerNotice(
            account_id=account_id,
            jid=account.jid,
            since=account.health_since,
            edited_at=account.edited_at,
            told_at=told_at,
            tried_at=moment,
            tries=tries,
        )

    body = owner_words.needs_owner(
        jid=account.jid,
        source=account.source,
        error=account.last_error,
        reason=account.last_reason or "",
        since=account.health_since,
        contact=contact,
    )
    return Notice(account_id, account.jid, body, after(moment, 0), after(None, tries + 1))


def _of_healing(account: Account, row: OwnerNotice, moment: datetime) -> Notice:
    again = {"tried_at": moment, "tries": row.tries + 1}
    body = owner_words.healed(
        jid=account.jid, since=row.since, until=account.last_at or account.health_since
    )
    untold = OwnerNotice(**row.model_dump() | again)
    return Notice(row.account_id, account.jid, body, None, untold)
