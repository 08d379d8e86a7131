"""Why an account stands as it stands: what `lastword why` answers, as plain lines."""

from datetime import datetime

from lastword.advice import advice
from lastword.way import better, way
from models import Account, Health, LedgerEntry

_HEALTH = {
    Health.OK: "well",
    Health.FAILING: "failing",
    Health.NEEDS_OWNER: "waits for its owner",
    Health.GONE: "its source is gone",
}


def diagnosis(account: Account, history: list[LedgerEntry], now: datetime) -> list[tuple[str, str]]:
    """Return heading and text of each line.

    Args:
        account: the account.
        history: its newest ledger entries, newest first.
        now: the present moment (aware).
    """
    lines = [
        ("Account", f"{account.name}: {account.source} → {account.jid} by {account.publisher}"),
        ("Now", _now(account, now)),
    ]
    if account.last_outcome:
        lines.append(
            ("Last", f"{account.last_outcome} {_ago(account.last_at, now)}: {account.last_reason}")
        )
    if account.published_at:
        shown = f"“{account.published_status}” {_ago(account.published_at, now)}"
        lines += [("Shown", shown), ("By", way(account))]
        lines += [("" if number else "Better", it) for number, it in enumerate(better(account))]
    lines.append(("Next", _next(account, now)))
    if isinstance(moved_to := account.source_memory.get("moved_to"), str):
        lines.append(("Moved", f"`lastword accounts edit {account.name} --source {moved_to}`"))
    if account.last_error and not _edited_since(account):
        lines.append(("To do", advice(account.last_error, account.name)))
    lines += [
        ("" if number else "Before", f"{entry.at:%Y-%m-%d %H:%M} {entry.kind}: {entry.reason}")
        for number, entry in enumerate(history[1:])
    ]
    return lines


def _now(account: Account, now: datetime) -> str:
    if not account.active:
        return "paused"
    if account.last_outcome is None and account.health is Health.OK:
        return "not tried yet"
    failed = f", {account.failures} times in a row" if account.failures > 1 else ""
    return f"{_HEALTH[account.health]} since {_ago(account.health_since, now)}{failed}"


def _edited_since(account: Account) -> bool:
    return account.last_at is not None and account.edited_at > account.last_at


def _next(account: Account, now: datetime) -> str:
    if not account.active:
        return f"never: `lastword accounts resume {account.name}` first"
    if account.health is Health.NEEDS_OWNER:
        return "never, until its owner changes what was refused"
    if account.due_at and account.due_at > now:
        return f"not before {account.due_at:%Y-%m-%d %H:%M} UTC"
    return "at the next run"


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    minutes = int((now - moment).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"
