"""Owners are told when their account waits for them, and when it works again: once each."""

import asyncio
from dataclasses import dataclass

from lastword import cause_store, owner_notices
from lastword.cause_facts import Kind
from lastword.cause_findings import MANY
from lastword.errors import LastWordError, LoginRefused
from lastword.owner_notices import Notice
from lastword.publishers.notifier import Messenger, Notifier
from lastword.services import Services
from models.database import Database

MOST = 50
"""Messages in one run: more at once look like spam to a chat server."""
SECONDS = 30.0
"""For all of them, with the login."""
_CHANGE = "before LASTWORD_NOTIFIER_PASSWORD or LASTWORD_NOTIFIER_JID changes"


@dataclass
class Told:
    """What became of it.

    Attributes:
        told: how many owners were told.
        left: how many are told in later runs.
        trouble: why, where something stood in the way.
    """

    told: int = 0
    left: int = 0
    trouble: str | None = None


async def tell_owners(services: Services) -> Told:
    """Tell the owners of accounts what they were not told yet, by one login for all.

    A message counts as told from before it is sent, until its delivery is known to have failed:
    should this process die in between, nobody is told twice.

    Raises:
        DatabaseTrouble: the database does not do its part.
    """
    notifier, settings = services.notifier, services.settings
    if notifier is None:
        missing = "LASTWORD_NOTIFIER_JID has no password: set LASTWORD_NOTIFIER_PASSWORD"
        return Told(trouble=missing if settings.notifier_jid else None)
    database = services.database
    await owner_notices.forget(database)
    inhibited = await _inhibited(database)
    due = await owner_notices.due(database, inhibited, settings.contact)
    told = Told(left=len(due))
    if not due:
        return told
    if await owner_notices.was_refused(database, notifier.mark):
        told.trouble = f"{notifier.domain} refused the notifier's login: not tried again {_CHANGE}"
        return told
    try:
        await _tell(database, notifier, due[:MOST], told)
    except LoginRefused:
        await owner_notices.note_refusal(database, notifier.mark)
        told.trouble = f"{notifier.domain} refuses the notifier's login: not tried again {_CHANGE}"
    except LastWordError as error:
        told.trouble = str(error)
    return told


async def _tell(database: Database, notifier: Notifier, due: list[Notice], told: Told) -> None:
    under_way: Notice | None = None
    try:
        async with asyncio.timeout(SECONDS), notifier.session() as messenger:
            await owner_notices.note_refusal(database, None)
            for under_way in due:
                if await _was_delivered(database, messenger, under_way):
                    told.told += 1
                    told.left -= 1
            under_way = None
    except (LastWordError, TimeoutError) as error:
        if under_way:
            await owner_notices.keep(database, under_way.account_id, under_way.untold)
        if isinstance(error, LastWordError):
            raise
        told.trouble = f"{notifier.domain} did not take all messages within {SECONDS:g} s"


async def _was_delivered(database: Database, messenger: Messenger, notice: Notice) -> bool:
    await owner_notices.keep(database, notice.account_id, notice.told)
    if await messenger.send(notice.jid, notice.body) is None:
        return True
    await owner_notices.keep(database, notice.account_id, notice.untold)
    return False


async def _inhibited(database: Database) -> frozenset[int]:
    """Return the accounts that a server refuses together: it is not for each owner to act."""
    refused = (
        cause.accounts
        for cause in await cause_store.open_causes(database)
        if cause.kind is Kind.HOST_REFUSES and len(cause.accounts) >= MANY
    )
    return frozenset[int]().union(*refused)
