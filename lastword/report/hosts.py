"""Which servers the trouble of late was with: of an account's two, the one that was named."""

import re
from datetime import datetime

from sqlmodel import case, col, func, select

from lastword.jid import domain_of
from lastword.report.facts import HostFacts
from lastword.sources.base import Source
from models import Account, LedgerEntry, OutcomeKind
from models.database import Database

_TROUBLE = (OutcomeKind.FAILED, OutcomeKind.DEFERRED)


async def worst_hosts(database: Database, since: datetime, number: int) -> list[HostFacts]:
    """Return the hosts whose trouble met the most accounts, the worst first.

    Args:
        database: ours.
        since: outcomes before this moment (aware) are not looked at.
        number: so many hosts at most.
    """
    found: dict[str, HostFacts] = {}
    for source, jid, failed, deferred, last_at, reason in await _by_account(database, since):
        host = _blamed(source, jid, reason)
        known = found.get(host, HostFacts(host, 0, 0, 0, last_at, reason))
        latest = max((known.last_at, known.reason), (last_at, reason))
        found[host] = HostFacts(
            host, known.accounts + 1, known.failed + failed, known.deferred + deferred, *latest
        )
    order = sorted(found.values(), key=lambda it: (-it.accounts, -it.failed - it.deferred, it.host))
    return order[:number]


async def _by_account(
    database: Database, since: datetime
) -> list[tuple[str, str, int, int, datetime, str]]:
    """Return for each account its wiring, how often it met trouble, and the latest of it."""
    kind = col(LedgerEntry.kind)
    # Not the bare column: SQLite would read the whole ledger in the order of its index.
    account = col(LedgerEntry.account_id) + 0
    counted = (
        select(
            account.label("account"),
            func.sum(case((kind == OutcomeKind.FAILED, 1), else_=0)).label("failed"),
            func.sum(case((kind == OutcomeKind.DEFERRED, 1), else_=0)).label("deferred"),
            func.max(LedgerEntry.id).label("last"),
        )
        .where(col(LedgerEntry.at) >= since, kind.in_(_TROUBLE))
        .group_by(account)
        .subquery()
    )
    query = (
        select(  # type: ignore[call-overload] # SQLModel's overloads end at four
            Account.source,
            Account.jid,
            counted.c.failed,
            counted.c.deferred,
            LedgerEntry.at,
            LedgerEntry.reason,
        )
        .join(counted, counted.c.account == Account.id)
        .join(LedgerEntry, col(LedgerEntry.id) == counted.c.last)
    )
    async with database.session() as session:
        return [tuple(row) for row in await session.exec(query)]


def _blamed(source: str, jid: str, reason: str) -> str:
    """Return the host that the reason names; where it names neither, the one that comes first."""
    domain = domain_of(jid)
    if _is_named(domain, reason):
        return domain
    kind, _, handle = source.partition(":")
    # Who is named without a host is on the one service of that kind.
    return Source.host(handle) if "@" in handle or "//" in handle else kind


def _is_named(host: str, reason: str) -> bool:
    """Tell whether words have this very host in them, and not one below or beside it."""
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", reason) is not None
