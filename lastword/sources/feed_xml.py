"""RSS 0.9x, 1.0 (RDF) and 2.0, and Atom (RFC 4287), to posts.

Read with libxml2 as it is, because what a feed parser gives for free costs too much here: dates
guessed from identifiers decide what counts as newest, guesses are slow on garbage, and xml:base
and the types of Atom's texts get lost.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from lastword.post import Post
from lastword.sources.html import to_text
from lastword.sources.items import make_post, newest_first, web_url, when

_BARE_AMPERSAND = re.compile(rb"&(?!#\d+;|#[xX][\da-fA-F]+;|(?:amp|lt|gt|quot|apos);)")

_EXTRAS = {
    "{http://purl.org/dc/elements/1.1/}date": "dc:date",
    "{http://purl.org/rss/1.0/modules/content/}encoded": "content:encoded",
    "{http://purl.org/syndication/thread/1.0}in-reply-to": "reply",  # RFC 4685
    "{http://activitystrea.ms/spec/1.0/}verb": "verb",
}
_TIMES = ("published", "pubdate", "issued", "dc:date", "created", "updated", "modified")
_TEXTS = ("title", "content:encoded", "content", "description", "summary")
_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"

Fields = dict[str, Any]
"""The first element of each name in an entry."""


def read_xml(body: bytes, url: str) -> Iterator[Post]:
    """Return the feed's posts, from the newest on.

    Raises:
        ValueError: the body is not a feed, or one that declares entities.
    """
    root = _root(body, url)
    if _name(root) not in ("rss", "rdf", "feed"):
        raise ValueError(f"its root is {_name(root)}")
    found = (root.findall(path) for path in ("{*}channel/{*}item", "{*}item", "{*}entry"))
    entries = (_fields(entry) for elements in found for entry in elements)
    by_mastodon = root.findtext("channel/generator", "").startswith("Mastodon")
    return newest_first(
        ((_time(fields), fields) for fields in entries),
        lambda fields: _post(fields, url, by_mastodon=by_mastodon),
    )


def _root(body: bytes, url: str) -> Any:  # noqa: ANN401  # lxml is untyped
    body = body.strip()
    try:
        root = etree.fromstring(body, _parser(recover=False), base_url=url)
    except etree.XMLSyntaxError:
        # The commonest mistake, and one after which libxml2 would drop all ampersands.
        repaired = body if b"\0" in body else _BARE_AMPERSAND.sub(b"&amp;", body)
        try:
            root = etree.fromstring(repaired, _parser(recover=True), base_url=url)
        except etree.XMLSyntaxError as error:
            raise ValueError("it is not XML") from error
    if root is None:
        raise ValueError("it is not XML")
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise ValueError("it declares entities")
    return root


def _parser(*, recover: bool) -> Any:  # noqa: ANN401
    """Return a parser that fetches nothing, expands no entity, and keeps libxml2's limits."""
    return etree.XMLParser(
        recover=recover,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


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


def _post(fields: Fields, url: str, *, by_mastodon: bool) -> Post | None:
    texts = (_text(fields[name]) for name in _TEXTS if name in fields)
    text = next(filter(None, texts), "")
    link = _link(fields, url)
    own_id = _raw(fields["id"] if "id" in fields else fields.get("guid")).strip()
    about = fields["entry"].get(_RDF_ABOUT)
    return make_post(
        own_id or about or link or sha256(text.encode()).hexdigest(),
        text,
        url=link,
        time=_time(fields),
        warning=_warning(fields) if by_mastodon else "",
        tags=_tags(fields["entry"]),
        reply="reply" in fields,
        repost="verb" in fields and _raw(fields["verb"]).strip().endswith("share"),
    )


def _tags(entry: Any) -> Iterator[str]:  # noqa: ANN401
    for category in entry.iterchildren("{*}category"):
        yield (category.get("term") or _raw(category)).strip()


def _warning(fields: Fields) -> str:
    """Mastodon's RSS puts the warning before a rule, and then the text that it warns of."""
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
