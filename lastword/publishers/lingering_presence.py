"""Carrier `presence`, lingering: the server keeps our session, and the words, until the next run.

What it takes is XEP-0198's resumption for long enough. Where the server grants less, contacts see
us leave, as ever.
"""

from dataclasses import asdict
from datetime import timedelta

from lastword.lingering import Lingering
from lastword.publishers import presence, resumption
from lastword.publishers.client import Client
from lastword.publishers.resumption import Saved
from models import Account
from models.types import now

_STATUS = "status"


def saved_for(account: Account, lingering: Lingering | None) -> Saved | None:
    """Return what resumes the account's session, whether the server still has it or not."""
    memory = lingering.recall(account) if lingering else None
    try:
        return Saved(**{k: v for k, v in memory.items() if k != _STATUS}) if memory else None
    except TypeError:  # of another version
        return None


class LingeringPresence:
    """One session's presence.

    Args:
        client: in session, resumed or new.
        account: the row; its session memory is assigned on leaving.
        lingering: what is remembered; None: we never linger.
    """

    def __init__(self, client: Client, account: Account, lingering: Lingering | None) -> None:
        self._client = client
        self._account = account
        # Without an id nothing can be sealed for it, and nothing is saved either.
        self._lingering = lingering if account.id is not None else None
        memory = self._lingering.recall(account) if self._lingering else None
        self._left_with: str | None = memory.get(_STATUS) if memory else None
        self._is_there = resumption.is_resumed(client)
        self.status = self._left_with if self._is_there else None
        """The words that contacts see beside our resource; None: none, or no resource."""

    async def show(self, status: str | None) -> None:
        """Show contacts a status; return once the server has.

        Raises:
            Transient: it did not.
        """
        await presence.show(self._client, status)
        self._is_there, self.status = True, status

    async def leave(self, status: str | None) -> None:
        """Stay behind with the status, or take leave of the contacts where they saw us come.

        Args:
            status: the account's, as far as the session learnt it; other words are taken down.

        Raises:
            Transient: the presence was lost, and the server did not take it anew.
        """
        if self._client.lost:
            return
        if status and status == self._left_with and not self._is_there:
            await self.show(status)
        if status and status == self.status and await self._lingers(status):
            return
        self._account.session_memory = None
        if self._is_there and not self._client.lost:
            presence.leave(self._client, self.status)

    async def _lingers(self, status: str) -> bool:
        if self._lingering is None:
            return False
        saved = await resumption.keep(
            self._client, at_least=self._lingering.needed, ask=self._lingering.asked
        )
        if saved is None:
            return False
        until = now() + timedelta(seconds=saved.seconds)
        self._lingering.remember(self._account, {**asdict(saved), _STATUS: status}, until)
        return True
