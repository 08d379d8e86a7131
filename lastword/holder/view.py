"""How the holder stands, for people: in `lastword doctor` and `lastword why`."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from lastword.holder.heartbeat import alive_since
from lastword.holder.wishes import PUBLISHER
from models import Account, Held
from models.database import Database

_AWAY = "is not running: start `lastword hold`"


@dataclass(frozen=True, slots=True)
class View:
    """The holder as a whole.

    Attributes:
        since: when it was started; None: it is not running.
        wanted: accounts that need it.
        up: of these, how many have a session.
    """

    since: datetime | None
    wanted: int
    up: int

    @property
    def text(self) -> str:
        """All of it, as one line."""
        if self.since:
            return f"runs since {_moment(self.since)}, {self.up} of {self.wanted} sessions are up"
        accounts = "1 account needs" if self.wanted == 1 else f"{self.wanted} accounts need"
        return f"{_AWAY}, for {accounts} it"


async def view_of(database: Database) -> View:
    """Look at the holder."""
    held = select(func.count(), func.count(col(Held.up_since))).select_from(Account)
    held = held.outerjoin(Held, col(Held.account_id) == col(Account.id))
    held = held.where(Account.publisher == PUBLISHER, col(Account.active).is_(True))
    async with database.session() as session:
        wanted, up = (await session.exec(held)).one()
    return View(await alive_since(database), wanted, up)


async def told_of(database: Database, account: Account) -> str:
    """Return how one account's session stands, as one line."""
    since = await alive_since(database)
    if since is None:
        return _AWAY
    async with database.session() as session:
        held = await session.get(Held, account.id)
    if held and held.up_since:
        return f"has had a session since {_moment(held.up_since)}"
    if held and held.reason:
        return f"has no session: {held.reason}"
    return f"runs since {_moment(since)}, and has no session yet"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
