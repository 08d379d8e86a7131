"""What the source keeps of an account between runs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lastword.eligibility import Choice
from lastword.sources.bluesky_identity import Identity


@dataclass(frozen=True, slots=True)
class Memory:
    """The identity, and the last choice where the same answer would give it again.

    Attributes:
        source: the handle or DID that it is the memory of.
        identity: whose posts they are, and where.
        choice: the last one, or None.
        etag: of the answer that the choice was made from, or "".
        digest: the answer's hash, for servers that send no ETag, or "".
    """

    source: str
    identity: Identity
    choice: Choice | None = None
    etag: str = ""
    digest: str = ""

    @staticmethod
    def read(kept: dict[str, Any], source: str) -> "Memory | None":
        """Return the memory that `to_json` wrote, or None where it is none or another account's."""
        try:
            memory = _adapter().validate_python(kept)
        except ValidationError:
            return None
        post = memory.choice.post if memory.choice else None
        timeless = post and post.time and not post.time.tzinfo
        return memory if memory.source == source and not timeless else None

    def to_json(self) -> dict[str, Any]:
        """Return the memory as JSON values."""
        found: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return found


@cache
def _adapter() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)
