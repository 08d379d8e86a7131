"""Records of Bluesky to posts.

https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from lastword.post import Post
from lastword.sources.bluesky_identity import Identity
from lastword.sources.bluesky_text import Record, tags_of, text_of
from lastword.sources.items import make_post, newest_first, when
from models.types import now

COLLECTION = "app.bsky.feed.post"

_RKEY = re.compile(r"(?!\.{1,2}$)[\w.:~-]{1,512}", re.ASCII)
_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(f"[{_DIGITS[:16]}][{_DIGITS}]{{12}}")
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_EPOCH = datetime.fromtimestamp(0, UTC)
_DAY = timedelta(days=1)
# Before it, clocks were not set.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST = 100
_LONGEST_LABEL = 64
_UNREADABLE = "!unreadable"


def posts_of(records: list[Any], identity: Identity) -> Iterator[Post]:
    """Return the posts of a repository's records, from the newest on.

    They are ordered by their keys, which come from the clock; the records' own times can be
    anything, such as those of posts brought along from elsewhere.
    """
    found = (
        (key, record["value"])
        for record in records
        if isinstance(record, dict)
        and isinstance(record.get("value"), dict)
        and (key := _key_of(record.get("uri"), identity))
    )
    return newest_first(
        ((_time_of_key(key) or _created(value), (key, value)) for key, value in found),
        lambda item: _post(*item, identity),
    )


def _key_of(uri: object, identity: Identity) -> str | None:
    before = f"at://{identity.did}/{COLLECTION}/"
    if not isinstance(uri, str) or not uri.startswith(before):
        return None
    key = uri.removeprefix(before)
    return key if _RKEY.fullmatch(key) else None


def _post(key: str, record: Record, identity: Identity) -> Post | None:
    """Return the post that a record becomes; media without words speak by their descriptions."""
    if record.get("$type", COLLECTION) != COLLECTION:
        return None
    labels = _labels(record)
    hidden = any(label.startswith("!") and label != "!warn" for label in labels)
    return make_post(
        key,
        text_of(record).strip() or "\n".join(_descriptions(record.get("embed"))),
        url=f"https://bsky.app/profile/{identity.name}/post/{key}",
        time=min(filter(None, (_created(record), _time_of_key(key))), default=None),
        warning=_warning(labels),
        tags=tags_of(record),
        reply=record.get("reply") is not None,
        visibility="limited" if hidden else "public",
    )


def _time_of_key(key: str) -> datetime | None:
    """Return the time that a TID tells (https://atproto.com/specs/tid)."""
    if not _TID.fullmatch(key):
        return None
    number = 0
    for digit in key:
        number = number << 5 | _VALUES[digit]
    return _plausible(_EPOCH + timedelta(microseconds=number >> 10))


def _created(record: Record) -> datetime | None:
    return _plausible(when(record.get("createdAt")))


def _plausible(time: datetime | None) -> datetime | None:
    return time if time and _EARLIEST <= time < now() + _DAY else None


def _labels(record: Record) -> list[str]:
    """Return what the author says of the post; what cannot be read may ask us to hide it."""
    labels = record.get("labels")
    if labels is None:
        return []
    values = labels.get("values") if isinstance(labels, dict) else None
    if not isinstance(values, list) or len(values) > _MOST:
        return [_UNREADABLE]
    found = [value.get("val") if isinstance(value, dict) else None for value in values]
    return [label if isinstance(label, str) and label else _UNREADABLE for label in found]


def _warning(labels: list[str]) -> str:
    named = {label[:_LONGEST_LABEL] for label in labels if not label.startswith("!")}
    if named:
        return f"Content warning: {', '.join(sorted(named)).replace('-', ' ')}"
    return "Content warning" if "!warn" in labels else ""


def _descriptions(embed: object) -> Iterator[str]:
    """Yield the words of pictures, films and links: those of their author, none of a quote."""
    media = embed.get("media") if isinstance(embed, dict) else None
    for part in (embed, media):  # recordWithMedia has them one level down
        if isinstance(part, dict):
            pictures = [part.get(name) for name in ("images", "items")]
            items = [item for one in pictures if isinstance(one, list) for item in one[:_MOST]]
            found = [item.get("alt") for item in [*items, part] if isinstance(item, dict)]
            external = part.get("external")
            found += [external.get("title")] if isinstance(external, dict) else []
            yield from islice(filter(_is_text, found), _MOST)


def _is_text(found: object) -> bool:
    return isinstance(found, str)
