"""When an account is tried next, as far as anybody can know."""

from datetime import datetime
from math import ceil

from lastword.health import EVERY, waits_until
from lastword.moments import ago, time_of
from models import Account, Health, OutcomeKind

_WELL = frozenset({OutcomeKind.PUBLISHED, OutcomeKind.UNCHANGED, OutcomeKind.SKIPPED})


def upcoming(account: Account, now: datetime, last_run: datetime | None) -> str:
    """Return in words when an account is tried next.

    Args:
        account: the account.
        now: the present moment (aware).
        last_run: when the newest run began, or None.
    """
    if not account.active:
        return "never, while it is paused"
    if account.health is Health.NEEDS_OWNER:
        return "never, until its owner changes what was refused"
    until, at = waits_until(account.due_at, now), next_at(account, now, last_run)
    why = "; its newest post is old" if until and account.last_outcome in _WELL else ""
    if at:
        return f"{'in the run at' if until else 'at the next run,'} about {time_of(at, now)}{why}"
    if until:
        return f"at the first run after {time_of(until, now)}{why}"
    if last_run is None:
        return "at the first run: `lastword up` begins one every 30 minutes"
    return f"at the next run; the last began {ago(last_run, now)}: is `lastword up` running?"


def next_at(account: Account, now: datetime, last_run: datetime | None) -> datetime | None:
    """Return when its next attempt begins if runs go on as they did, or None: nobody knows."""
    if not account.active or account.health is Health.NEEDS_OWNER:
        return None
    if last_run is None or not now - 2 * EVERY < last_run <= now:
        return None
    until = waits_until(account.due_at, now) or now
    return last_run + max(1, ceil((until - last_run) / EVERY)) * EVERY
