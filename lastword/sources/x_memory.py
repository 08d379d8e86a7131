"""What the source keeps of an account between runs."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from lastword.eligibility import Choice


@dataclass(frozen=True, slots=True)
class Memory:
    """Who it is, and the last choice.

    Attributes:
        source: the name that it is the memory of.
        id: the account's, which never changes.
        name: its name now.
        newest: id of its newest post of any kind, or "".
        choice: the last one.
        looked: when X was last asked for older posts (aware), or None.
        since: id to search from, or "" where it is not searched for.
    """

    source: str
    id: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]
    name: str
    newest: str
    choice: Choice
    looked: AwareDatetime | None = None
    since: Annotated[str, Field(pattern=r"^[0-9]{0,19}$")] = ""

    @staticmethod
    def read(kept: dict[str, Any], source: str) -> "Memory | None":
        """Return the memory that `to_json` wrote, or None where it is none or another account's."""
        try:
            memory = _adapter().validate_python(kept)
        except ValidationError:
            return None
        post = memory.choice.post
        timeless = post and post.time and not post.time.tzinfo
        return memory if memory.source == source and not timeless else None

    def to_json(self) -> dict[str, Any]:
        """Return the memory as JSON values."""
        found: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return found


@cache
def _adapter() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)
