"""A post's text with its facets: links in full, and hashtags.

https://docs.bsky.app/docs/advanced-guides/post-richtext
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from lastword.sources.items import web_url

_MOST = 200
_ELLIPSES = ("…", "...")

Record = dict[str, Any]


def text_of(record: Record) -> str:
    """Return a post's text.

    Bluesky's clients shorten what a link shows, as in "blog.example/a-long…": such a link, and no
    other, is put in full. Facets count in bytes of UTF-8; one that does not fit is passed over.
    """
    text = record.get("text")
    if not isinstance(text, str):
        return ""
    shown = text.encode("utf-8", "surrogatepass")
    parts, end = [], 0
    for first, last, url in sorted(_links(record)):
        if end <= first < last <= len(shown) and _is_short_for(shown[first:last], url):
            parts += [shown[end:first], url.encode()]
            end = last
    return b"".join([*parts, shown[end:]]).decode("utf-8", "ignore")


def tags_of(record: Record) -> list[str]:
    """Return a post's hashtags, those outside of its text, too."""
    tags = [feature.get("tag") for _, feature in _features(record, "tag")]
    listed = record.get("tags")
    tags += listed[:_MOST] if isinstance(listed, list) else []
    return [tag.removeprefix("#") for tag in tags if isinstance(tag, str)]


def _links(record: Record) -> Iterator[tuple[int, int, str]]:
    """Yield each link's first byte, the one after its last, and its address."""
    for facet, feature in _features(record, "link"):
        index = facet.get("index")
        slice_ = index if isinstance(index, dict) else {}
        first, last = slice_.get("byteStart"), slice_.get("byteEnd")
        url = web_url(feature.get("uri"), "")
        if type(first) is int and type(last) is int and url:
            yield first, last, url


def _features(record: Record, kind: str) -> Iterator[tuple[Record, Record]]:
    """Yield each feature of a kind, with its facet."""
    facets = record.get("facets")
    for facet in islice(facets if isinstance(facets, list) else [], _MOST):
        features = facet.get("features") if isinstance(facet, dict) else None
        for feature in islice(features if isinstance(features, list) else [], _MOST):
            of_kind = f"app.bsky.richtext.facet#{kind}"
            if isinstance(feature, dict) and feature.get("$type") == of_kind:
                yield facet, feature


def _is_short_for(shown: bytes, url: str) -> bool:
    """Tell whether a link shows the beginning of its own address: the host, and some of the rest.

    Bytes that split a character are no text, and so no beginning.
    """
    try:
        text = shown.decode()
    except UnicodeDecodeError:
        return False
    ellipsis = next(filter(text.endswith, _ELLIPSES), None)
    if ellipsis is None:
        return False
    begins = _without_scheme(text.removesuffix(ellipsis))
    whole = _without_scheme(url)
    return whole.startswith(begins) and begins.startswith(whole.partition("/")[0])


def _without_scheme(url: str) -> str:
    bare = url.lower()
    for scheme in ("https://", "http://"):
        bare = bare.removeprefix(scheme)
    return bare.removeprefix("www.")
