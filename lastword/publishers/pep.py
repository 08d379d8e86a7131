"""Carrier `pep`: nodes of the user's own PEP service, which stay when we have left.

One file per kind of node, one line for each here.
"""

from collections.abc import Callable
from typing import Protocol

from lastword.post import Post
from lastword.publishers.line import Line
from lastword.publishers.pep_activity import Activity
from lastword.publishers.pep_microblog import Microblog
from lastword.publishers.pep_tune import Tune
from models import Account

NAME = "pep"
DEFAULT = ""
"""An account's `pep` that says nothing: activity, where the server has no shared status."""
NONE = "none"
"""An account's `pep` that wants none of it."""


class Kept(Protocol):
    """One kind of node that holds an account's status; `current` comes before the others."""

    async def current(self) -> str | None:
        """Return the text that the node holds, or None."""
        ...

    async def check(self) -> None:
        """Return if a status can be put there at no harm to what is the user's own.

        Raises:
            Rejected: it cannot, as the node is.
            Deferred: the server does not let us find out.
        """
        ...

    async def set(self, status: str, post: Post | None, known: str) -> str | None:
        """Put the status there, and return the node's access model; None: the server has no PEP.

        Args:
            status: the text.
            post: what it was made of.
            known: the access model as it was found out before, or empty.
        """
        ...

    async def clear(self) -> None:
        """Take away what we have put there."""
        ...


NODES: dict[str, Callable[[Line, Account], Kept]] = {
    "activity": Activity,
    "microblog": Microblog,
    "tune": Tune,
}


def wanted(pep: str, *, is_shared: bool) -> list[str]:
    """Return the kinds of nodes that an account wants.

    Args:
        pep: the account's.
        is_shared: whether the server keeps a shared status, which shows to more people than any.
    """
    if pep == DEFAULT:
        return [] if is_shared else ["activity"]
    return [] if pep == NONE else pep.split(",")
