"""What every source offers: its newest eligible post."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from lastword.eligibility import Choice, Rules
from lastword.sources.http import GuardedClient
from models import Account


class Source(ABC):
    """One kind of source, built once per run. It lives as long as the HTTP client it is given.

    Settings that only it needs are its own, a pydantic `BaseSettings` in its file.
    """

    judged: ClassVar[frozenset[str]] = frozenset()
    """Names in its memory of what was chosen, and of what has that answered again (an ETag, say).

    They are dropped where settings change by which posts are chosen; the rest has to do without.
    """

    def __init__(self, http: GuardedClient) -> None:
        self._http = http

    @staticmethod
    @abstractmethod
    def check(handle: str) -> str:
        """Return the handle in its normal form.

        Raises:
            ValueError: it cannot be one; the message says what one looks like.
        """

    @staticmethod
    def recognise(pasted: str) -> str | None:
        """Return the handle that somebody means who pastes this, or None where it is not ours.

        Args:
            pasted: an address as it stands in a browser's bar or on a profile, stripped.
        """
        del pasted
        return None

    @staticmethod
    def host(handle: str) -> str:
        """Return the host that is asked, with its port where one is given."""
        return urlsplit(handle).netloc or handle.rpartition("@")[2]

    @staticmethod
    def remarks(accounts: int) -> list[str]:
        """Return what `lastword doctor` should say of so many accounts: what they cost, say.

        Raises:
            Systemic: they cannot be asked for as things are set.
        """
        del accounts
        return []

    def expect(self, accounts: Sequence[Account]) -> None:
        """Learn which accounts of this kind a run is over, so that they can be asked together.

        Args:
            accounts: of each, only the source and its memory.
        """
        del accounts

    @abstractmethod
    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the account's newest post that the rules let pass.

        May assign `account.source_memory`; the caller saves it.

        Args:
            account: the row, detached.
            rules: the account's own; a source that asks for what has not changed keeps its last
                choice in the memory, and judges it by `rules.again`.

        Raises:
            LastWordError: Transient, Deferred, Gone, Rejected, or Systemic with this kind; never
                retried here.
        """
