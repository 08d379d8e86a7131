"""A status of Mastodon's API to a post.

https://docs.joinmastodon.org/entities/Status/
"""

import re
from typing import Any

from lastword.post import Post
from lastword.sources.html import to_text
from lastword.sources.items import make_post, web_url, when

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_PUBLIC = ("public", "unlisted")


def id_of(entity: dict[str, Any]) -> str | None:
    """Return an account's or status's id if it is one; most servers use digits, all strings."""
    found = entity.get("id")
    text = str(found) if isinstance(found, str | int) else ""
    return text if _ID.fullmatch(text) else None


def is_eligible(status: object) -> bool:
    """Tell whether a status may be published: for all to see, and not a reply or boost.

    A field that is missing does not speak against it: without a login servers show public
    statuses only.
    """
    return (
        isinstance(status, dict)
        and status.get("visibility", "public") in _PUBLIC
        and not status.get("in_reply_to_id")
        and not status.get("in_reply_to_account_id")
        and not status.get("reblog")
    )


def post_of(status: dict[str, Any], base: str) -> Post | None:
    """Return the post that a status becomes; media without words speak by their descriptions."""
    status_id = id_of(status)
    if status_id is None:
        return None
    content = status.get("content")
    warning = status.get("spoiler_text")
    text = to_text(content) if isinstance(content, str) else ""
    return make_post(
        status_id,
        text or _descriptions(status.get("media_attachments")),
        url=web_url(status.get("url"), base) or web_url(status.get("uri"), base),
        time=when(status.get("created_at")),
        warning=warning if isinstance(warning, str) else "",
    )


def _descriptions(media: object) -> str:
    attachments = media if isinstance(media, list) else []
    described = (item.get("description") for item in attachments if isinstance(item, dict))
    return "\n".join(text for text in described if isinstance(text, str))
