"""What every publisher offers: a session in which a status is read and set."""

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from lastword.errors import Defect
from lastword.post import Post
from models import Account

# XML 1.0, section 2.2: servers end the stream at anything else.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Mixed(Enum):
    """What `Session.current` says where no one text tells how things stand."""

    MIXED = auto()


MIXED: Final = Mixed.MIXED
"""Its places differ, or hold something that is to be taken back: only setting puts it right."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The server's word that the status is set.

    Attributes:
        carrier: what holds it there: `shared_status`, `pep`, `presence`, or several, such as
            `pep+presence`.
        notice: what people should know beside it, or empty.
    """

    carrier: str
    notice: str = ""


class Session(Protocol):
    """One account's way to its status; `current` comes before `set`."""

    async def current(self) -> str | Mixed | None:
        """Return the status that the server has for the account; None: none; or `MIXED`."""
        ...

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        """Set the status, or clear it with None; return once the server has confirmed.

        Args:
            status: the text.
            post: what it was made of, for carriers that show more of it.
        """
        ...


class Publisher(Protocol):
    def session(self, account: Account) -> AbstractAsyncContextManager[Session]:
        """Open one connection for the account; leaving the block takes leave politely.

        Raises:
            LastWordError: Transient, Deferred, Rejected, Gone or Systemic; never retried here.
        """
        ...

    async def stands(self, account: Account) -> bool:
        """Return whether what was published, be it nothing, stands without us, as far as we know.

        Where it does not, an unchanged account is given its status anew.

        Raises:
            LastWordError: it cannot stand.
        """
        del account
        return True

    async def withdraw(self, account: Account) -> None:
        """Take down what stays of our sessions: the account has another publisher now.

        Tried once, and no account fails by it: what is left ends by itself.

        Args:
            account: the row, detached; its session memory may be assigned.
        """
        del account

    async def close(self) -> None:
        """Close what the sessions of a run shared."""
        ...


def check_xml(status: str | None) -> None:
    """Check that a status is one that XMPP can carry.

    Raises:
        Defect: it was not cleaned; one such stanza ends a stream, and all that shared it.
    """
    if status and (unfit := _NOT_XML.search(status)):
        raise Defect(f"the status has U+{ord(unfit[0]):04X} in it, which XMPP cannot carry")
