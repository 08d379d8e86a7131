"""A post: one item that a source has for us, before anybody has judged it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

PUBLIC = frozenset({"public", "unlisted"})
"""Visibilities that anyone may see, in the words of Mastodon's API."""


@dataclass(frozen=True, slots=True)
class Post:
    """One item, already plain text.

    Attributes:
        id: the source's own identifier (Atom id, RSS guid, Mastodon status id).
        text: plain text with line breaks; the warning instead where there is one.
        url: where people read it, or None.
        time: when it was published (aware), or None where the source does not say.
        warning: the content warning, or None.
        tags: its hashtags without the #, where the source lists them apart from the text.
        reply: whether it answers somebody.
        repost: whether somebody else wrote it.
        visibility: who may see it; only those of `PUBLIC` are ever published.
    """

    id: str
    text: str
    url: str | None = None
    time: datetime | None = None
    warning: str | None = None
    tags: tuple[str, ...] = ()
    reply: bool = False
    repost: bool = False
    visibility: str = "public"

    def to_memory(self) -> dict[str, Any]:
        """Return an eligible post as JSON values, for an account's source memory."""
        memory: dict[str, Any] = {
            "id": self.id,
            "text": self.text,
            "url": self.url,
            "time": self.time.isoformat() if self.time else None,
            "warning": self.warning,
        }
        return memory | ({"tags": list(self.tags)} if self.tags else {})

    @classmethod
    def from_memory(cls, memory: dict[str, Any]) -> Self:
        """Return the post that `to_memory` wrote."""
        time = memory["time"]
        more = {
            "time": datetime.fromisoformat(time) if time else None,
            "tags": tuple(memory.get("tags", ())),
        }
        return cls(**memory | more)
