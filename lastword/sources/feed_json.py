"""JSON Feed (https://www.jsonfeed.org/version/1.1/) to posts."""

import json
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from typing import Any

from lastword.post import Post
from lastword.sources.html import to_text
from lastword.sources.items import make_post, newest_first, web_url, when
from lastword.sources.misskey_feed import is_misskeys


def read_json(body: bytes, url: str) -> Iterator[Post]:
    """Return the feed's posts, from the newest on.

    Raises:
        ValueError: the body is not a JSON Feed.
    """
    try:
        feed = json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        raise ValueError("it has no list of items")  # noqa: TRY004  # about a document, not a type
    items = [item for item in feed["items"] if isinstance(item, dict)]
    by_misskey = is_misskeys(_string(item, "title") for item in items)
    return newest_first(
        (
            (when(item.get("date_published")) or when(item.get("date_modified")), item)
            for item in items
        ),
        lambda item: _post(item, url, by_misskey=by_misskey),
    )


def _post(item: dict[str, Any], base: str, *, by_misskey: bool) -> Post | None:
    # A title is plain text, but many send what they have for pages.
    title = "" if by_misskey else unescape(_string(item, "title"))
    summary = _string(item, "summary")
    text = title or _string(item, "content_text") or to_text(_string(item, "content_html"))
    link = web_url(item.get("url"), base) or web_url(item.get("external_url"), base)
    text = text or ("" if by_misskey else summary)
    return make_post(
        _string(item, "id") or link or sha256(text.encode("utf-8", "replace")).hexdigest(),
        text,
        url=link,
        time=when(item.get("date_published")) or when(item.get("date_modified")),
        warning=summary if by_misskey else "",
        tags=_tags(item),
    )


def _tags(item: dict[str, Any]) -> list[str]:
    tags = item.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _string(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    # Version 1 asks readers to take numbers for ids too.
    return str(value) if isinstance(value, str | int | float) and str(value).strip() else ""
