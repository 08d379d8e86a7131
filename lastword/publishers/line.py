"""What carriers speak over: a line on which we may ask the server in one user's name."""

from typing import Literal, Protocol
from xml.etree.ElementTree import Element

Kind = Literal["get", "set"]


class Line(Protocol):
    """A login of the user's, or an operator's connection that acts for the user."""

    @property
    def domain(self) -> str:
        """The server, as messages call it."""
        ...

    def may_read(self, namespace: str) -> bool:
        """Return whether we may ask about the user what is in this namespace."""
        ...

    async def ask(self, kind: Kind, payload: Element, to: str | None = None) -> Element | None:
        """Send an IQ and return the answer, whole; None where the server knows no such thing.

        Args:
            kind: the IQ's type.
            payload: its only child.
            to: whom; None: the user's own account.

        Raises:
            LastWordError: no answer in time, the line broke, or the server cannot just now.
        """
        ...
