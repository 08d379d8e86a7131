"""What became of accounts in runs that are over, for a view that missed it."""

from collections.abc import Collection

from sqlalchemy import func
from sqlmodel import col, select

from models import Account, LedgerEntry, OutcomeKind, Run
from models.database import Database

Ended = tuple[OutcomeKind, str]
"""An outcome and why."""


async def ended(database: Database, run: Run, names: Collection[str]) -> dict[str, Ended]:
    """Return the outcomes that accounts had in a run, by name; those that had none are left out.

    An account knows that of its latest run, the ledger all others, but for a repeated Unchanged or
    Skipped: that is the same as the one before, unless the run died before it came so far.

    Args:
        database: ours.
        run: over, or dead.
        names: of accounts.
    """
    of_account = select(
        *(Account.id, Account.name, Account.last_run_id),  # type: ignore[call-overload]
        *(Account.last_outcome, Account.last_reason),
    ).where(col(Account.name).in_(names))
    newest = func.max(LedgerEntry.run_id).label("newest")
    # Of these accounts: the ledger as a whole is a thousand times longer, and nobody has the time.
    asked_for = select(Account.id).where(col(Account.name).in_(names))
    latest = (
        select(LedgerEntry.account_id, newest)
        .where(LedgerEntry.run_id <= (run.id or 0))
        .where(col(LedgerEntry.account_id).in_(asked_for))
        .group_by(col(LedgerEntry.account_id))
        .subquery()
    )
    of_ledger = (
        select(Account.name, LedgerEntry)
        .join(LedgerEntry, col(LedgerEntry.account_id) == col(Account.id))
        .join(
            latest,
            (latest.c.account_id == LedgerEntry.account_id)
            & (latest.c.newest == LedgerEntry.run_id),
        )
        .where(col(Account.name).in_(names))
    )
    died = run.ended_at is None or run.state == "Crashed"
    found: dict[str, Ended] = {}
    async with database.session() as session:
        for name, entry in await session.exec(of_ledger):
            repeats = entry.kind in (OutcomeKind.UNCHANGED, OutcomeKind.SKIPPED) and not died
            if entry.run_id == run.id or repeats:
                found[name] = entry.kind, entry.reason
        for row in await session.exec(of_account):
            if row.last_run_id == run.id and row.last_outcome:
                found[row.name] = row.last_outcome, row.last_reason or ""
    return found
