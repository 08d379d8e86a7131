"""Why an account stands as it stands: what `lastword why` answers, as plain lines."""

from datetime import datetime
from typing import Any

from lastword.advice import advice, advice_on_skipped
from lastword.lingering import lingers_until
from lastword.moments import ago, lasting
from lastword.upcoming import next_at, upcoming
from lastword.way import better, way
from models import Account, Health, LedgerEntry, OutcomeKind

_HEALTH = {
    Health.OK: "well",
    Health.FAILING: "failing",
    Health.NEEDS_OWNER: "waiting for its owner",
    Health.GONE: "its source gone",
}

_SHOWN = 120
"""Characters of a status that tell which one it is."""


def diagnosis(
    account: Account,
    history: list[LedgerEntry],
    now: datetime,
    last_run: datetime | None = None,
    holder: str | None = None,
) -> list[tuple[str, str]]:
    """Return heading and text of each line.

    Args:
        account: the account.
        history: its newest ledger entries, newest first.
        now: the present moment (aware).
        last_run: when the newest run began, or None.
        holder: how its session stands, where the holder keeps it.
    """
    lines = [
        ("Account", f"{account.name}: {account.source} → {account.jid} by {account.publisher}"),
        ("Now", _now(account, now)),
    ]
    if account.last_outcome:
        last = f"{account.last_outcome} {ago(account.last_at, now)}"
        lines.append(("Last", f"{last}: {account.last_reason}"))
    elif account.last_reason:
        lines.append(("Last", f"outside a run: {account.last_reason}"))
    if (since := _since(account)) and (status := account.published_status):
        status = status if len(status) <= _SHOWN else f"{status[:_SHOWN]}…"
        shown = f"“{status}” {ago(since, now)}"
        lines += [("Shown", shown), ("By", way(account))]
        until = _lingers_until(account, now)
        if until:
            lines.append(("Lingers", _lingers(account, until)))
        lines += [
            ("" if number else "Better", it)
            for number, it in enumerate(better(account, lingers=until is not None))
        ]
    if holder:
        lines.append(("Holder", holder))
    lines.append(("Next", upcoming(account, now, last_run)))
    if isinstance(moved_to := account.source_memory.get("moved_to"), str):
        lines.append(("Moved", f"`lastword accounts edit {account.name} --source {moved_to}`"))
    if to_do := _to_do(account):
        lines.append(("To do", to_do))
    lines += [
        ("" if number else "Before", f"{entry.at:%Y-%m-%d %H:%M} {entry.kind}: {entry.reason}")
        for number, entry in enumerate(history[1:])
    ]
    return lines


def figures(
    account: Account,
    history: list[LedgerEntry],
    now: datetime,
    last_run: datetime | None = None,
) -> dict[str, Any]:
    """Return the same as `diagnosis` for programs; moments are aware."""
    return {
        "name": account.name,
        "source": account.source,
        "jid": account.jid,
        "publisher": account.publisher,
        "active": account.active,
        "health": account.health,
        "health_since": account.health_since,
        "failures": account.failures,
        "last": {
            "outcome": account.last_outcome,
            "error": account.last_error,
            "reason": account.last_reason,
            "carrier": account.last_carrier,
            "at": account.last_at,
        },
        "shown": {
            "status": account.published_status,
            "since": account.published_at if account.published_status else None,
        },
        "lingers_until": _lingers_until(account, now),
        "next": {"at": next_at(account, now, last_run), "text": upcoming(account, now, last_run)},
        "to_do": _to_do(account),
        "history": [
            {"at": it.at, "outcome": it.kind, "error": it.error, "reason": it.reason}
            for it in history
        ],
    }


def _since(account: Account) -> datetime | None:
    return account.published_at if account.published_status else None


def _now(account: Account, now: datetime) -> str:
    if not account.active:
        return "paused"
    if account.last_outcome is None and account.health is Health.OK:
        return "not tried yet"
    failed = f", {account.failures} times in a row" if account.failures > 1 else ""
    return f"{_HEALTH[account.health]} for {lasting(now - account.health_since)}{failed}"


def _lingers_until(account: Account, now: datetime) -> datetime | None:
    until = lingers_until(account)
    return until if until and until > now else None


def _lingers(account: Account, until: datetime) -> str:
    renewed = "renewed before" if account.active else "not renewed"
    return f"between runs our presence stays on the server until {until:%H:%M} UTC, {renewed}"


def _edited_since(account: Account) -> bool:
    return account.last_at is not None and account.edited_at > account.last_at


def _to_do(account: Account) -> str | None:
    if not account.active:
        return f"`lastword accounts resume {account.name}`"
    if account.health is Health.OK and _edited_since(account):
        return None
    if account.last_error:
        return advice(account.last_error, account.name)
    if account.last_outcome is OutcomeKind.SKIPPED:
        return advice_on_skipped(account.last_reason or "", account.name)
    return None
