"""Owners are told when their account waits for them, and when it works again: once each."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from lastword import cause_store, owner_notices
from lastword.cause_facts import Kind
from lastword.cause_findings import MANY
from lastword.errors import LastWordError, LoginRefused
from lastword.jid import domain_of
from lastword.owner_notices import Notice
from lastword.publishers.notifier import Messenger, Notifier
from lastword.services import Services
from models.database import Database

MOST = 50
"""Messages in one run: more at once look like spam to a chat server."""
SECONDS = 30.0
"""For all of them, with the login."""
LATE = 5.0
"""Seconds to wait, beyond them, for what the servers of owners elsewhere do not take."""
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
    sent: dict[str, Notice] = {}
    under_way: Notice | None = None
    returned: AbstractSet[str] = frozenset()
    trouble: LastWordError | None = None
    try:
        async with asyncio.timeout(SECONDS) as limit, notifier.session() as messenger:
            returned = messenger.returned
            await owner_notices.note_refusal(database, None)
            for under_way in due:
                await owner_notices.keep(database, under_way.account_id, under_way.told)
                sent[await messenger.send(under_way.jid, under_way.body)] = under_way
            under_way = None
            limit.reschedule(None)
            await _come_back(messenger, notifier.domain, sent)
    except TimeoutError:
        told.trouble = f"{notifier.domain} did not take all messages within {SECONDS:g} s"
    except LastWordError as error:
        trouble = error
    untold = [notice for number, notice in sent.items() if number in returned]
    told.told = len(sent) - len(untold)
    for notice in [*untold, under_way] if under_way else untold:
        await owner_notices.keep(database, notice.account_id, notice.untold)
    told.left -= told.told
    if trouble:
        raise trouble


async def _come_back(messenger: Messenger, domain: str, sent: Mapping[str, Notice]) -> None:
    """Wait for what other servers do not take: our own has said at once what it cannot deliver."""
    away = {number for number, notice in sent.items() if domain_of(notice.jid) != domain}
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE):
            await messenger.all_returned(away)


async def _inhibited(database: Database) -> frozenset[int]:
    """Return the accounts that a server refuses together: it is not for each owner to act."""
    refused = (
        cause.accounts
        for cause in await cause_store.open_causes(database)
        if cause.kind is Kind.HOST_REFUSES and len(cause.accounts) >= MANY
    )
    return frozenset[int]().union(*refused)
