"""Recording an outcome: on the account for the latest run, in the ledger for history."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm.attributes import get_history
from sqlmodel.ext.asyncio.session import AsyncSession

from lastword.errors import LoginRefused, Rejected
from lastword.health import Prognosis, health_after
from lastword.lingering import lingers_until
from lastword.outcome import Outcome
from lastword.quiet_accounts import quiet_until
from models import Account, Health, LedgerEntry, OutcomeKind
from models.account import UNSETTLED
from models.database import Database
from models.types import now


@dataclass(frozen=True, slots=True)
class Recorded:
    """What changed for the account's owner by this outcome."""

    began_to_need_owner: bool = False
    ceased_to_need_owner: bool = False


async def record(
    database: Database,
    run_id: int,
    synced: Account,
    outcome: Outcome,
    seconds: float,
    *,
    quiet_after: timedelta | None = None,
) -> Recorded:
    """Save an outcome in one transaction, which others may share.

    Args:
        database: where to.
        run_id: the run it belongs to.
        synced: the account as it was loaded and worked on, detached.
        outcome: what became of it.
        seconds: how long it took.
        quiet_after: see `lastword.quiet_accounts`.

    Returns:
        What this changed for the owner; nothing for an account that was removed meanwhile, or
        that a newer run has taken over.
    """
    if synced.id is None:
        return Recorded()

    recorded = await database.accounts.change(
        synced.id,
        lambda session, account: _note(
            session, account, run_id, synced, outcome, seconds, quiet_after
        ),
    )
    return recorded or Recorded()


def _note(
    session: AsyncSession,
    account: Account,
    run_id: int,
    synced: Account,
    outcome: Outcome,
    seconds: float,
    quiet_after: timedelta | None,
) -> Recorded:
    """Note the outcome on the account's row, as it is now and locked, and in the ledger."""
    if account.id is None or (account.last_run_id or 0) >= run_id:
        return Recorded()  # it has an outcome already, of this run or a newer one
    before = (account.last_outcome, account.last_error, account.last_reason)
    # One that was paused when its turn came was not tried: it stands as it stood.
    is_current = account.edited_at == synced.edited_at and synced.active
    if account.jid == synced.jid:  # what a server holds, it holds whatever people want since
        if _has_changed(synced, "session_memory"):
            account.session_memory = synced.session_memory
        account.pep_memory = _held(account, synced)
    if is_current:
        _remember(account, synced, outcome, quiet_after)
    account.last_run_id = run_id
    account.last_outcome = outcome.kind
    if synced.active:
        account.last_error, account.last_reason = outcome.error_name, outcome.reason
        account.last_host = outcome.host
    account.last_carrier = outcome.carrier or account.last_carrier
    account.last_at = now()
    if outcome.kind is not OutcomeKind.DEFERRED:
        account.checked_at = account.last_at
    if not _repeats(outcome, before[0], before[2]):
        session.add(_entry(run_id, account.id, outcome, seconds))
    rejected = is_current and isinstance(outcome.error, Rejected)
    was_rejected = before[1] in {Rejected.__name__, LoginRefused.__name__}
    healed = is_current and was_rejected and outcome.error is None
    return Recorded(rejected and not was_rejected, healed)


async def quarantine(database: Database, refused: Account, error: Rejected) -> None:
    """Note a refusal that was met outside a run, so that no run tries the same again."""
    async with database.writing() as session:
        account = await session.get(Account, refused.id, with_for_update=True)
        if account is None or account.edited_at != refused.edited_at:
            return
        account.health, account.health_since = Health.NEEDS_OWNER, now()
        account.last_error, account.last_reason = type(error).__name__, str(error)
        account.last_host = error.host


def _remember(
    account: Account, synced: Account, outcome: Outcome, quiet_after: timedelta | None
) -> None:
    """Carry over what the run learnt; skipped when people changed the wiring meanwhile."""
    account.source_memory = synced.source_memory
    if outcome.status == "":
        # Of which post it was, and since when, is kept: what has expired must not come back.
        account.published_status = None
    elif outcome.status is not None:
        stood = (account.published_status, account.published_post_id)
        account.published_status = outcome.status
        account.published_post_id = outcome.post.id if outcome.post else None
        if stood != (account.published_status, account.published_post_id):
            account.published_at = now()
    before = Prognosis(account.health, account.failures, account.due_at)
    prognosis = health_after(outcome, before, now=now(), seed=account.id or 0)
    if prognosis.health is not account.health:
        account.health_since = now()
    account.health = prognosis.health
    account.failures = prognosis.failures
    account.due_at = prognosis.due_at
    if outcome.error is None:
        account.due_at = _quiet_until(account, outcome, quiet_after)


def _quiet_until(
    account: Account, outcome: Outcome, quiet_after: timedelta | None
) -> datetime | None:
    """Return until when a healthy account is left alone for it writes rarely; None: it is not."""
    if lingers_until(account):  # its session is to be renewed, whoever writes
        return None
    moment, written = now(), outcome.wrote_last
    until = quiet_until(written, now=moment, after=quiet_after, seed=account.id or 0)
    if until and account.published_status and account.expires_after:
        stale = (written or account.published_at or moment) + account.expires_after
        return min(until, stale) if stale > moment else None
    return until


def _held(account: Account, synced: Account) -> dict[str, Any] | None:
    """Return what of PEP holds our words; one whose publisher changed meanwhile looks anew."""
    memory = synced.pep_memory
    if account.publisher == synced.publisher:
        return memory
    return {**(memory or {}), "asked": UNSETTLED}


def _has_changed(account: Account, column: str) -> bool:
    """Tell whether a value is another one than was loaded; that may have been sealed anew since."""
    return bool(get_history(account, column).has_changes())


def _repeats(outcome: Outcome, kind: OutcomeKind | None, reason: str | None) -> bool:
    """Tell what would fill the ledger with nothing new: weeks of people who do not write."""
    if outcome.kind is OutcomeKind.SKIPPED:
        return kind is OutcomeKind.SKIPPED and reason == outcome.reason
    return outcome.kind is OutcomeKind.UNCHANGED and kind is OutcomeKind.UNCHANGED


def _entry(run_id: int, account_id: int, outcome: Outcome, seconds: float) -> LedgerEntry:
    return LedgerEntry(
        run_id=run_id,
        account_id=account_id,
        kind=outcome.kind,
        error=outcome.error_name,
        reason=outcome.reason,
        carrier=outcome.carrier,
        post_id=outcome.post.id if outcome.post else None,
        seconds=round(seconds, 3),
    )
