"""What activity and tune have in common: a node of one item, which an empty one takes away."""

import unicodedata
from abc import ABC, abstractmethod
from xml.etree.ElementTree import Element

from lastword.errors import Transient
from lastword.post import Post
from lastword.publishers.line import Line
from lastword.publishers.pubsub import PepNode
from models import Account

_ITEM = "current"


class Single(ABC):
    """A node with one item. See `pep.Kept`.

    Args:
        line: the user's.
        account: whose status it holds.

    Attributes:
        NODE: its name, and its payload's namespace.
        TEXT: where the status stands in the payload.
    """

    NODE: str
    TEXT: str

    def __init__(self, line: Line, account: Account) -> None:
        del account
        self._line = line
        self._node = PepNode(line, self.NODE)
        self._is_empty = False

    async def current(self) -> str | None:
        item = await self._node.item()
        text = None if item is None else item.findtext(self.TEXT)
        self._is_empty = not text
        return unicodedata.normalize("NFC", text) if text else None

    async def check(self) -> None:  # noqa: B027 (meant so: there is nothing to check)
        """There is always room: the one item that is replaced holds what is so just now."""

    async def set(self, status: str, post: Post | None, known: str) -> str | None:
        self._is_empty = False
        return await self._node.publish(_ITEM, self.payload(status, post), known)

    async def clear(self) -> None:
        # All clients know an empty item; not all a retraction, which therefore is a silent one.
        if self._is_empty:
            return
        is_emptied = await self._node.put(_ITEM, self.payload(None, None))
        if not await self._node.retract(_ITEM) and not is_emptied:
            raise Transient(f"{self._line.domain} did not let us take the status back")

    @abstractmethod
    def payload(self, status: str | None, post: Post | None) -> Element:
        """Return what the item holds for a status; an empty one for None."""
