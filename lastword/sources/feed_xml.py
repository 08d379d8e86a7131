"""RSS 0.9x, 1.0 (RDF) and 2.0, and Atom (RFC 4287), to posts.

Read with libxml2 as it is, because what a feed parser gives for free costs too much here: dates
guessed from identifiers decide what counts as newest, guesses are slow on garbage, and xml:base
and the types of Atom's texts get lost.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any, Literal

from lxml import etree  # type: ignore[import-untyped]

from lastword.post import Post
from lastword.sources.feed_tree import breaks_off_within, tree_of
from lastword.sources.html import to_text
from lastword.sources.items import make_post, newest_first, web_url, when
from lastword.sources.misskey_feed import is_misskeys

_EXTRAS = {
    "{http://purl.org/dc/elements/1.1/}date": "dc:date",
    "{http://purl.org/rss/1.0/modules/content/}encoded": "content:encoded",
    "{http://purl.org/syndication/thread/1.0}in-reply-to": "reply",  # RFC 4685
    "{http://activitystrea.ms/spec/1.0/}verb": "verb",
}
_TIMES = ("published", "pubdate", "issued", "dc:date", "created", "updated", "modified")
_CONTENTS = ("content:encoded", "content")
_TEXTS = ("title", *_CONTENTS, "description", "summary")
_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"

Fields = dict[str, Any]
"""The first element of each name in an entry."""

_Software = Literal["mastodon", "misskey", ""]


def read_xml(body: bytes, url: str) -> Iterator[Post]:
    """Return the feed's posts, from the newest on.

    Raises:
        ValueError: the body is not a feed, or one that declares entities, or breaks off before
            the end of its first entry.
    """
    root, is_whole = tree_of(body, url)
    if _name(root) not in ("rss", "rdf", "feed"):
        raise ValueError(f"its root is {_name(root)}")
    paths = ("{*}channel/{*}item", "{*}item", "{*}entry")
    entries = [entry for path in paths for entry in root.findall(path)]
    if not is_whole:
        entries = entries[:-1] if breaks_off_within(body, "item", "entry") else entries
        if not entries:
            raise ValueError("it breaks off before the end of its first entry")
    software = _software(root, entries)
    return newest_first(
        ((_time(fields), fields) for fields in map(_fields, entries)),
        lambda fields: _post(fields, url, software),
    )


def _software(root: Any, entries: list[Any]) -> _Software:  # noqa: ANN401  # lxml is untyped
    """Return whose feed it is, where that must be read in a way of its own."""
    if root.findtext("channel/generator", "").startswith("Mastodon"):
        return "mastodon"
    return "misskey" if is_misskeys(_raw(it.find("{*}title")) for it in entries) else ""


def _name(element: Any) -> str:  # noqa: ANN401
    return str(etree.QName(element).localname).lower()


def _fields(entry: Any) -> Fields:  # noqa: ANN401
    """Index an entry's elements: those of the feed's own format, and the few extras we know."""
    namespace = etree.QName(entry).namespace
    fields: Fields = {"entry": entry}
    for child in entry:
        if not isinstance(child.tag, str) or _has_undeclared_prefix(child.tag):
            continue
        own = etree.QName(child).namespace == namespace
        name = _name(child) if own else _EXTRAS.get(child.tag)
        if name == "link" and not _is_page(child):
            continue
        if name:
            fields.setdefault(name, child)
    return fields


def _has_undeclared_prefix(tag: str) -> bool:
    return ":" in tag and not tag.startswith("{")


def _is_page(link: Any) -> bool:  # noqa: ANN401
    return link.get("href") is None or link.get("rel", "alternate") == "alternate"


def _time(fields: Fields) -> Any:  # noqa: ANN401
    times = (when(_raw(fields[name])) for name in _TIMES if name in fields)
    return next(filter(None, times), None)


def _post(fields: Fields, url: str, software: _Software) -> Post | None:
    names = _CONTENTS if software == "misskey" else _TEXTS
    texts = (_text(fields[name]) for name in names if name in fields)
    text = next(filter(None, texts), "")
    link = _link(fields, url)
    own_id = _raw(fields["id"] if "id" in fields else fields.get("guid")).strip()
    about = fields["entry"].get(_RDF_ABOUT)
    return make_post(
        own_id or about or link or sha256(text.encode()).hexdigest(),
        text,
        url=link,
        time=_time(fields),
        warning=_warning(fields, software),
        tags=_tags(fields["entry"]),
        reply="reply" in fields,
        repost="verb" in fields and _raw(fields["verb"]).strip().endswith("share"),
    )


def _tags(entry: Any) -> Iterator[str]:  # noqa: ANN401
    for category in entry.iterchildren("{*}category"):
        yield (category.get("term") or _raw(category)).strip()


def _warning(fields: Fields, software: _Software) -> str:
    """Return the content warning.

    Misskey has it for the summary. Mastodon's RSS puts it before a rule, and then the text that
    it warns of.
    """
    if software == "misskey":
        return "".join(_text(fields[it]) for it in ("description", "summary") if it in fields)
    if software != "mastodon":
        return ""
    before, rule, _ = re.split(r"(<hr[^>]*>|$)", _raw(fields.get("description")), maxsplit=1)
    return to_text(before) if rule else ""


def _link(fields: Fields, url: str) -> str | None:
    link, guid = fields.get("link"), fields.get("guid")
    if link is not None and (found := link.get("href") or _raw(link).strip()):
        return web_url(found, link.base or url)
    if guid is not None and guid.get("isPermaLink", "true") == "true":
        return web_url(_raw(guid), url)
    return None


def _text(element: Any) -> str:  # noqa: ANN401
    """Return an element's text: markup in it, or escaped in it, or none (RFC 4287, 3.1)."""
    if any(isinstance(child.tag, str) for child in element):  # and not just entities
        inner = (etree.tostring(child, encoding="unicode") for child in element)
        return to_text(escape(element.text or "") + "".join(inner))
    is_atom = "atom" in (etree.QName(element).namespace or "").lower()
    kind = element.get("type", "text" if is_atom else "html").strip().lower()
    if "/" in kind and not kind.startswith("text/"):  # a picture, say, in Base64
        return ""
    return _raw(element) if kind in ("text", "text/plain") else to_text(_raw(element))


def _raw(element: Any) -> str:  # noqa: ANN401
    return "" if element is None else "".join(element.itertext())
