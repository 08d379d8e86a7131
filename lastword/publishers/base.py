"""What every publisher offers: a session in which a status is read and set."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from models import Account


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The server's word that the status is set.

    Attributes:
        carrier: what holds it there: `pep`, `presence`, or both as `pep+presence`.
    """

    carrier: str


class Session(Protocol):
    async def current(self) -> str | None:
        """Return the status that the server has for the account, or None."""
        ...

    async def set(self, status: str | None) -> Confirmation:
        """Set the status, or clear it with None; return once the server has confirmed."""
        ...


class Publisher(Protocol):
    def session(self, account: Account) -> AbstractAsyncContextManager[Session]:
        """Open one connection for the account; leaving the block takes leave politely.

        Raises:
            LastWordError: Transient, Deferred, Rejected, Gone or Systemic; never retried here.
        """
        ...
