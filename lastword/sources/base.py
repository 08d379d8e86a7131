"""What every source offers: its newest eligible post."""

from typing import Protocol

from lastword.post import Post
from models import Account


class Source(Protocol):
    """One kind of source. Shares the HTTP client it was built with; keeps no state of its own."""

    @staticmethod
    def check(handle: str) -> str:
        """Return the handle in its normal form.

        Raises:
            ValueError: it cannot be one; the message says what one looks like.
        """
        ...

    async def latest(self, account: Account) -> Post | None:
        """Return the account's newest eligible post, or None.

        May assign `account.source_memory`; the caller saves it.

        Raises:
            LastWordError: Transient, Deferred, Gone or Rejected; never retried here.
        """
        ...
