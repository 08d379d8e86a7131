"""What the source keeps of a feed between runs."""

from typing import Any

from pydantic import BaseModel, Field, ValidationError

from lastword.post import Post


class _Kept(BaseModel):
    url: str
    hash: str = ""
    post: Post | None
    why: str
    found: str = ""
    etag: str = ""
    modified: str = Field(default="", alias="last-modified")


def remembered(memory: dict[str, Any], url: str) -> dict[str, Any]:
    """Return an account's source memory, or nothing where it is another address's or damaged.

    Args:
        memory: JSON values.
        url: the source's handle.
    """
    try:
        kept = _Kept.model_validate(memory)
    except ValidationError:
        return {}
    is_vague = kept.post and kept.post.time and not kept.post.time.tzinfo
    return memory if kept.url == url and not is_vague else {}
