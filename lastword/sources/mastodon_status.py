"""Statuses of Mastodon's API to posts.

https://docs.joinmastodon.org/entities/Status/
"""

from collections.abc import Iterator, Sequence
from typing import Any

from lastword.post import Post
from lastword.sources.html import to_text
from lastword.sources.items import make_post, newest_first, web_url, when
from lastword.sources.mastodon_account import id_of


def posts_of(statuses: Sequence[Any], author: str, base: str, *, logged_in: bool) -> Iterator[Post]:
    """Yield the posts that an account's statuses become, from the newest on.

    Args:
        statuses: any JSON values.
        author: the account's id; what anybody else wrote is a repost.
        base: the server's base URL.
        logged_in: whether a token was shown, so that not all need to be public.
    """
    found = (status for status in statuses if isinstance(status, dict))
    return newest_first(
        ((when(status.get("created_at")), status) for status in found),
        lambda status: post_of(status, author, base, logged_in=logged_in),
    )


def post_of(status: dict[str, Any], author: str, base: str, *, logged_in: bool) -> Post | None:
    """Return the post that a status becomes; media without words speak by their descriptions.

    A field that is missing does not speak against it: to those without a login servers show
    public statuses only.
    """
    status_id = id_of(status)
    warning = status.get("spoiler_text") or ""
    if status_id is None or not isinstance(warning, str):  # it warns of something
        return None
    content = status.get("content")
    text = to_text(content) if isinstance(content, str) else ""
    return make_post(
        status_id,
        text or _descriptions(status),
        url=web_url(status.get("url"), base) or web_url(status.get("uri"), base),
        time=when(status.get("created_at")),
        warning=warning,
        tags=_tags(status.get("tags")),
        reply=bool(status.get("in_reply_to_id") or status.get("in_reply_to_account_id")),
        repost=bool(status.get("reblog")) or not _is_by(status.get("account"), author),
        visibility=_visibility(status, logged_in=logged_in),
    )


def _is_by(account: object, author: str) -> bool:
    found = id_of(account) if isinstance(account, dict) else None
    return found in (None, author)


def _visibility(status: dict[str, Any], *, logged_in: bool) -> str:
    if status.get("local_only") is True:  # Hometown, glitch-soc, GoToSocial: not for the web
        return "local"
    return str(status.get("visibility", "unknown" if logged_in else "public"))


def _tags(tags: object) -> list[str]:
    listed = tags if isinstance(tags, list) else []
    names = (tag.get("name") for tag in listed if isinstance(tag, dict))
    return [name for name in names if isinstance(name, str)]


def _descriptions(status: dict[str, Any]) -> str:
    media = status.get("media_attachments")
    if not isinstance(media, list) or status.get("sensitive") is True:  # hidden until clicked
        return ""
    described = (item.get("description") for item in media if isinstance(item, dict))
    return "\n".join(text for text in described if isinstance(text, str))
