"""What the database wants of the holder: which accounts, and the status of each."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import load_only
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.errors import LoginRefused
from models import Account, Health, Held
from models.account import UNSETTLED
from models.database import Database
from models.held import credentials_of

PUBLISHER = "hold"

_NEEDED = (
    *(col(Account.name), col(Account.jid), col(Account.secret), col(Account.edited_at)),
    *(col(Account.health), col(Account.last_error), col(Account.trial)),
    *(col(Account.pep_memory), col(Account.published_status)),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """One account whose session is to be kept.

    Attributes:
        account_id: its id.
        name: its name.
        jid: bare JID.
        secret: its sealed password.
        edited_at: when people last changed the account.
        status: what to show; None: nothing.
        asked: which request for a status this is; 0: none.
        answered: which has been answered.
        is_refused: whether the server has refused these very credentials.
        left: what another publisher has left on the server, as `HeldSession.take_back` takes it.
        trial: what is known of logins with them; see `lastword.trials`.
    """

    account_id: int
    name: str
    jid: str
    secret: str | None
    edited_at: datetime
    status: str | None
    asked: int
    answered: int
    is_refused: bool
    left: Account | None = None
    trial: str | None = None

    @property
    def credentials(self) -> str:
        """What a session was opened with; another needs another session."""
        return credentials_of(self.jid, self.secret)


async def wishes(database: Database) -> dict[int, Wish]:
    """Return what is wanted now, by account id.

    Raises:
        DatabaseTrouble: the database cannot be asked.
    """
    query = (
        select(Account, Held)
        .outerjoin(Held, col(Held.account_id) == col(Account.id))
        .where(Account.publisher == PUBLISHER, col(Account.active).is_(True))
        .options(load_only(*_NEEDED))  # type: ignore[arg-type]
    )
    async with database.session() as session:
        found = (await session.exec(query)).all()
        return {account.id or 0: _wish(account, held) for account, held in found}


def _wish(account: Account, held: Held | None) -> Wish:
    memory = account.pep_memory or {}
    left = Account(
        name=account.name,
        source="",
        jid=account.jid,
        pep_memory=memory,
        published_status=account.published_status,
    )
    held = held or Held(account_id=account.id or 0, asked=0, answered=0)
    refused = LoginRefused.__name__
    return Wish(
        account_id=held.account_id,
        name=account.name,
        jid=account.jid,
        secret=account.secret,
        edited_at=account.edited_at,
        trial=account.trial,
        status=held.wanted,
        asked=held.asked,
        answered=held.answered,
        is_refused=(
            held.error == refused and held.tried == credentials_of(account.jid, account.secret)
        )
        or (account.health is Health.NEEDS_OWNER and account.last_error == refused),
        left=left if memory.get("asked") == UNSETTLED else None,
    )


async def make_rows(session: AsyncSession, account_id: int | None = None) -> None:
    """Make the row of an account, or of all that are to have one; those there are stay."""
    chosen: Select[tuple[int, None]] = select(Account.id, literal(None)).where(
        Account.publisher == PUBLISHER if account_id is None else col(Account.id) == account_id,
    )
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    rows = dialect.insert(Held).from_select(["account_id", "wanted"], chosen)
    await session.exec(rows.on_conflict_do_nothing())


async def forget_others(session: AsyncSession) -> None:
    """Drop the rows of accounts that have another publisher now: their words would be stale."""
    others = select(Account.id).where(Account.publisher != PUBLISHER)
    await session.exec(delete(Held).where(col(Held.account_id).in_(others)))
