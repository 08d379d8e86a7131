"""What servers say of their items, made into posts that every later step can hold."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from lastword.post import Post
from lastword.sources.html import tidy
from models.types import now

T = TypeVar("T")

_LARGE = 100_000
_LONGEST_ID = 255
_MOST_ITEMS = 5_000
_MOST_TAGS = 100
_LONGEST_TAG = 100
_LONGEST_TEXT = 10_000
_LONGEST_URL = 2_000
_NEVER = datetime.min.replace(tzinfo=UTC)
_TOMORROW = timedelta(days=1)


async def read_apart(read: Callable[[bytes, str], T], body: bytes, url: str) -> T:
    """Call `read(body, url)`, in a thread where the body is so large that it would hold up others.

    A MiB made to be hard takes up to a quarter of a second, an ordinary feed a millisecond.
    """
    if len(body) > _LARGE:
        return await asyncio.to_thread(read, body, url)
    return read(body, url)


def newest_first(
    items: Iterable[tuple[datetime | None, T]], post: Callable[[T], Post | None]
) -> Iterator[Post]:
    """Yield the items that make posts, from the newest on.

    Args:
        items: with the time of each, in the order of the source. Where times are known they
            decide; otherwise the first item is taken for the newest. Only so many are looked
            at as a source has that means no harm.
        post: called from the newest on, for as long as somebody asks for more.
    """
    dated = [(time or _NEVER, item) for time, item in islice(items, _MOST_ITEMS)]
    ordered = sorted(dated, key=itemgetter(0), reverse=True)
    return (made for _, item in ordered if (made := post(item)))


def make_post(  # noqa: PLR0913 (the fields of a post)
    post_id: str,
    text: str,
    *,
    url: str | None = None,
    time: datetime | None = None,
    warning: str = "",
    tags: Iterable[str] = (),
    reply: bool = False,
    repost: bool = False,
    visibility: str = "public",
) -> Post | None:
    """Return a bounded post that a database can store, or None where nothing is left to show.

    The arguments are the fields of `Post`, of any length and with anything in them.
    """
    warning = _storable(warning)
    text = warning or _storable(text)
    if not text:
        return None
    if len(post_id) > _LONGEST_ID:
        post_id = sha256(post_id.encode("utf-8", "replace")).hexdigest()
    return Post(
        id=_storable(post_id) or sha256(text.encode()).hexdigest(),
        text=text,
        url=url,
        time=time,
        warning=warning or None,
        tags=tuple(_storable(tag)[:_LONGEST_TAG] for tag in islice(tags, _MOST_TAGS)),
        reply=reply,
        repost=repost,
        visibility=visibility,
    )


def _storable(text: str) -> str:
    """PostgreSQL refuses NUL, and nothing can encode half of a surrogate pair."""
    text = text[:_LONGEST_TEXT].replace("\0", "").encode("utf-8", "ignore").decode()
    return tidy(text)


def web_url(href: object, base: str) -> str | None:
    """Return an item's link as a whole web address, or None where it is none.

    One with a name or password in it is none: it would be shown to everybody.
    """
    if not isinstance(href, str) or not href.strip():
        return None
    try:
        url = urljoin(base, href.strip()).replace(" ", "%20")
        parts = urlsplit(url)
    except ValueError:
        return None
    is_web = parts.scheme in ("http", "https") and bool(parts.netloc) and "@" not in parts.netloc
    fit = is_web and "%20" not in parts.netloc and len(url) <= _LONGEST_URL and url.isprintable()
    return url if fit else None


def when(text: object) -> datetime | None:
    """Return a time in UTC, or None where it is not known.

    Reads ISO 8601, also without a zone, and the dates of RSS (RFC 822). A time that is still to
    come by more than a day is none: it would hide every later post.
    """
    if not isinstance(text, str):
        return None
    text = text.strip()[:64]
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        return moment if moment < now() + _TOMORROW else None
    return None
