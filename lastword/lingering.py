"""Sessions that linger between runs: until when, for all to see, and what resumes them, sealed."""

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from lastword.sealing import SealBroken, SealedFor, Sealing
from models import Account

_COLUMN = "session_memory"
_RUNS = 3
"""So many runs a session is asked to last: an unchanged account is not logged in at each."""


def lingers_until(account: Account) -> datetime | None:
    """Return when the server gives up the account's session unless it is resumed; None: none."""
    text = (account.session_memory or "").partition(" ")[0]
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return until if until.tzinfo else None


class Lingering:
    """Keeps on accounts what their sessions need to be resumed by another process.

    Args:
        seal: seals it, for one account and server.
        span: a session must last so long: from one run to the next, and a margin.
    """

    def __init__(self, seal: Sealing, span: timedelta) -> None:
        self._seal = seal
        self.needed = span.total_seconds()
        """Seconds that a server must keep a session for."""
        self.asked = self.needed * _RUNS
        """Seconds to ask for."""

    def remember(self, account: Account, session: dict[str, Any], until: datetime) -> None:
        """Keep what resumes a session; the caller saves the account.

        Args:
            account: the row, saved before.
            session: JSON, but that its `id` is a secret.
            until: when the server gives it up (aware).
        """
        text = SecretStr(json.dumps(session, default=SecretStr.get_secret_value))
        token = self._seal.seal(text, SealedFor.account(account, _COLUMN))
        account.session_memory = f"{until.isoformat(timespec='seconds')} {token}"

    def recall(self, account: Account) -> dict[str, Any] | None:
        """Return what was kept; None where there is nothing, or nothing that opens here."""
        if not account.session_memory or account.id is None:
            return None
        token = account.session_memory.partition(" ")[2]
        try:
            opened = self._seal.open(token, SealedFor.account(account, _COLUMN))
            session = json.loads(opened.get_secret_value(), object_hook=_hide)
        except (SealBroken, ValueError):
            return None
        return session if isinstance(session, dict) else None


def _hide(session: dict[str, Any]) -> dict[str, Any]:
    return session | {"id": SecretStr(str(session["id"]))} if "id" in session else session
