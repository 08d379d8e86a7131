"""An account of Mastodon's API.

https://docs.joinmastodon.org/entities/Account/
"""

import re
from dataclasses import dataclass
from typing import Any

from lastword.sources.mastodon_address import Place, place_of

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_MOMENT = re.compile(r"[\dTZ.:+-]{1,40}", re.ASCII)
_MOST_STATUSES = 1 << 62


def id_of(entity: dict[str, Any]) -> str | None:
    """Return an account's or status's id if it is one; most servers use digits, all strings."""
    found = entity.get("id")
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if _ID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a server says of an account.

    Attributes:
        id: its id there.
        name: its name without a server, in lower case; empty where none is given.
        is_copy: whether its home is another server than the one that was asked.
        suspended: whether the moderators have suspended it.
        moved: where its owner says it has moved to.
        activity: changes with the number and the date of its statuses; None: not told.
    """

    id: str
    name: str
    is_copy: bool
    suspended: bool
    moved: Place | None
    activity: str | None


def profile_of(account: object, base: str) -> Profile | None:
    """Return the profile that an account becomes, or None where it is no account.

    Args:
        account: any JSON value.
        base: the base URL of the server that said it.
    """
    if not isinstance(account, dict) or (account_id := id_of(account)) is None:
        return None
    acct, _, domain = _text(account, "acct").partition("@")
    server = Place(base, "").server
    moved = account.get("moved")
    return Profile(
        id=account_id,
        name=(_text(account, "username") or acct).lower(),
        # Where addresses and server differ in their domains, a profile's URL tells its home.
        is_copy=domain.lower() not in ("", server) and _host_of(account) != server,
        suspended=account.get("suspended") is True,
        moved=_target(moved, base) if isinstance(moved, dict) else None,
        activity=_activity(account),
    )


def _text(entity: dict[str, Any], name: str) -> str:
    value = entity.get(name)
    return value if isinstance(value, str) else ""


def _host_of(account: dict[str, Any]) -> str:
    try:
        return place_of(_text(account, "url")).server
    except ValueError:
        return ""


def _target(moved: dict[str, Any], base: str) -> Place | None:
    """Return where an account has moved to: its profile's URL names the server to be asked."""
    acct = _text(moved, "acct")
    local = Place(base, acct).handle
    for address in (_text(moved, "url"), acct, local):
        try:
            place = place_of(address)
        except ValueError:
            continue
        if place.base.startswith("https:") or base.startswith("http:"):
            return place
    return None


def _activity(account: dict[str, Any]) -> str | None:
    count, last = account.get("statuses_count"), account.get("last_status_at")
    # Some servers count wrongly or not at all, and then always say nought.
    if not isinstance(count, int) or not 0 < count < _MOST_STATUSES:
        return None
    if not isinstance(last, str) or not _MOMENT.fullmatch(last):
        return None
    return f"{int(count)} {last}"
