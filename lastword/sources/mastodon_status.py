"""A status of Mastodon's API to a post.

https://docs.joinmastodon.org/entities/Status/
"""

import re
from typing import Any

from lastword.post import Post
from lastword.sources.html import to_text
from lastword.sources.items import make_post, web_url, when

ID = re.compile(r"[\w-]{1,64}", re.ASCII)
"""An id on any of the servers: most use digits, all use strings."""

_PUBLIC = ("public", "unlisted")


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
    if not ID.fullmatch(str(status.get("id"))):
        return None
    content = status.get("content")
    warning = status.get("spoiler_text")
    text = to_text(content) if isinstance(content, str) else ""
    return make_post(
        str(status["id"]),
        text or _descriptions(status.get("media_attachments")),
        url=web_url(status.get("url"), base) or web_url(status.get("uri"), base),
        time=when(status.get("created_at")),
        warning=warning if isinstance(warning, str) else "",
    )


def _descriptions(media: object) -> str:
    attachments = media if isinstance(media, list) else []
    described = (item.get("description") for item in attachments if isinstance(item, dict))
    return "\n".join(text for text in described if isinstance(text, str))
