"""Posts of X's API to ours.

https://docs.x.com/x-api/fundamentals/data-dictionary
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from lastword.post import Post
from lastword.sources.items import make_post, web_url, when

_ID = re.compile(r"\d{1,19}", re.ASCII)
_ESCAPED = re.compile(r"&(?:amp|lt|gt);")
_MEDIA = re.compile(r"https://(?:x|twitter)\.com/\w+/status/\d+/(?:photo|video)/\d+", re.ASCII)
_MOST_ENTITIES = 500


def either(entity: dict[str, Any], name: str) -> Any:  # noqa: ANN401 (JSON)
    """Return a field of X's API, which is renaming its tweets to posts one endpoint at a time.

    Args:
        entity: a JSON object.
        name: the field's new name.
    """
    return entity.get(name) or entity.get(name.replace("post", "tweet"))


def id_of(value: object) -> str | None:
    """Return an id, which is a number as text, or None where it is none."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def post_of(entity: object, author: str, name: str) -> Post | None:
    """Return the post, or None where it is none or has no words.

    Args:
        entity: any JSON value.
        author: id of the account that it should be by.
        name: the account's name, for the post's address.
    """
    if not isinstance(entity, dict) or (post_id := id_of(entity.get("id"))) is None:
        return None
    note = either(entity, "note_post")
    full = note if isinstance(note, dict) and isinstance(note.get("text"), str) else entity
    references = dict(_references(entity))
    return make_post(
        post_id,
        _text(full, references.get("quoted")),
        url=web_url(f"https://x.com/{name}/status/{post_id}", ""),
        time=when(entity.get("created_at")),
        tags=list(_entities(full, "hashtags", "tag")),
        reply=bool(entity.get("in_reply_to_user_id")) or "replied_to" in references,
        repost="retweeted" in references or entity.get("author_id", author) != author,
    )


def _text(full: dict[str, Any], quoted: str | None) -> str:
    """Return what people read: links in full, none to the post's own pictures or its quotation."""
    text = full.get("text")
    if not isinstance(text, str):
        return ""
    for url in _entities(full, "urls"):
        short, long = url.get("url"), url.get("expanded_url")
        if not isinstance(short, str) or not short.startswith("https://t.co/"):
            continue
        inner = url.get("media_key") or not isinstance(long, str) or _MEDIA.match(long)
        is_quotation = quoted and f"{long}".split("?")[0].endswith(f"/status/{quoted}")
        text = text.replace(short, "" if inner or is_quotation else f"{long}")
    return _ESCAPED.sub(lambda found: unescape(found[0]), text)


def _references(entity: dict[str, Any]) -> Iterator[tuple[str, str]]:
    found = either(entity, "referenced_posts")
    for reference in found if isinstance(found, list) else ():
        if isinstance(reference, dict):
            # A reference may come without its id where the other post is gone.
            kind = str(reference.get("type")).replace("reposted", "retweeted")
            yield kind, str(reference.get("id", ""))


def _entities(full: dict[str, Any], kind: str, field: str = "") -> Iterator[Any]:
    entities = full.get("entities")
    found = entities.get(kind) if isinstance(entities, dict) else None
    for entity in found[:_MOST_ENTITIES] if isinstance(found, list) else ():
        if isinstance(entity, dict) and (not field or isinstance(entity.get(field), str)):
            yield entity[field] if field else entity
