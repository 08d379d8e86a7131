"""A post: a source's newest eligible public item."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Post:
    """One public item, already plain text.

    Attributes:
        id: the source's own identifier (Atom id, RSS guid, Mastodon status id).
        text: plain text with line breaks; the warning instead where there is one.
        url: where people read it, or None.
        time: when it was published (aware), or None where the source does not say.
        warning: the content warning, or None.
    """

    id: str
    text: str
    url: str | None = None
    time: datetime | None = None
    warning: str | None = None

    def to_memory(self) -> dict[str, Any]:
        """Return the post as JSON values, for an account's source memory."""
        return asdict(self) | {"time": self.time.isoformat() if self.time else None}

    @classmethod
    def from_memory(cls, memory: dict[str, Any]) -> Self:
        """Return the post that `to_memory` wrote."""
        time = memory.get("time")
        return cls(**{**memory, "time": datetime.fromisoformat(time) if time else None})
