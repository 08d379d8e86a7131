"""Finds the feeds that a page announces, in its headers (RFC 8288) or in its HTML.

https://html.spec.whatwg.org/multipage/links.html#rel-alternate

Well-known paths are not guessed: at a host with many people they may be somebody else's.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple
from urllib.parse import urldefrag, urlsplit

from lxml import etree  # type: ignore[import-untyped]

from lastword.sources.encoding import charset_of
from lastword.sources.http import Reply
from lastword.sources.items import read_apart, web_url

MOST = 3
"""Feeds of one page that are tried."""

_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_LOOKED_AT = 100
_LONGEST_HEADER = 8_000
_PAGE = re.compile(r"\s*(?:$|[^;]*(?:html|xml))", re.IGNORECASE)
_TOKEN = r"[\w!#$%&'*+.^`|~-]+"  # noqa: S105
_PARAMETER = rf'\s*;\s*({_TOKEN})\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s",;]*))?'
_LINK = re.compile(rf"<([^<>\s]*)>((?:{_PARAMETER})*)", re.ASCII)
_EACH_PARAMETER = re.compile(_PARAMETER, re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


class _Link(NamedTuple):
    href: str
    rel: str
    type: str
    title: str

    @property
    def is_feed(self) -> bool:
        kind = self.type.partition(";")[0].strip().lower()
        return "alternate" in self.rel.lower().split() and kind in _TYPES

    @property
    def is_of_comments(self) -> bool:
        return "comment" in f"{self.href} {self.title}".lower()


async def announced(page: Reply) -> list[str]:
    """Return the URLs of the feeds that a page announces, the first one its own choice.

    Feeds of comments are left out where there are others. There are `MOST` at most.

    Args:
        page: an answer that is no feed; anything at all may be in it.
    """
    if found := _feeds(_in_headers(page.headers.get("link", "")), page.url, page.url):
        return found
    kind = page.headers.get("content-type", "")
    if not _PAGE.match(kind):
        return []

    def read(body: bytes, url: str) -> list[str]:
        links, base = _in_html(body, charset_of(kind))
        return _feeds(links, url, web_url(base, url) or url)

    return await read_apart(read, page.body, page.url)


def secured(url: str) -> str:
    """Return a web address with https in place of http, unless it names a port of its own.

    Pages that have long had https still announce, and people still have, addresses with http.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and ":" not in parts.netloc.rpartition("]")[2]:
        return parts._replace(scheme="https").geturl()
    return url


def _feeds(links: Iterable[_Link], page: str, base: str) -> list[str]:
    found = [link for link in links if link.is_feed]
    chosen = [link for link in found if not link.is_of_comments] or found
    urls = (urldefrag(url)[0] for link in chosen if (url := web_url(link.href, base)))
    urls = (secured(url) if page.startswith("https:") else url for url in urls)
    others = dict.fromkeys(url for url in urls if url != urldefrag(page)[0])
    return list(others)[:MOST]


def _in_headers(text: str) -> Iterator[_Link]:
    for match in islice(_LINK.finditer(text[:_LONGEST_HEADER]), _LOOKED_AT):
        given: dict[str, str] = {}
        for name, value in _EACH_PARAMETER.findall(match[2])[:_LOOKED_AT]:
            plain = _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
            given.setdefault(name.lower().rstrip("*"), plain)
        if "anchor" not in given:  # with one, it is a link of something other than this page
            yield _Link(match[1], *(given.get(name, "") for name in _Link._fields[1:]))


def _in_html(body: bytes, charset: str | None) -> tuple[list[_Link], str]:
    """Return the links and the base that a page's HTML declares."""
    target = _Links()
    options = {"target": target, "no_network": True, "remove_comments": True, "remove_pis": True}
    try:
        parser = etree.HTMLParser(encoding=charset, **options)
    except LookupError:  # no such charset
        parser = etree.HTMLParser(**options)
    with suppress(etree.LxmlError, ValueError):  # what was found before counts
        etree.fromstring(body, parser)
    return target.links, target.base


class _Links:
    """Collects links from the parser's events.

    Those outside of the head count, too: what does not belong there ends it early, and what comes
    after was still meant for it.
    """

    def __init__(self) -> None:
        self.links: list[_Link] = []
        self.base = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "base":
            self.base = self.base or attributes.get("href", "")
        elif tag == "link" and len(self.links) < _LOOKED_AT:
            link = _Link(*(attributes.get(name, "") for name in _Link._fields))
            if link.is_feed:
                self.links.append(link)

    def close(self) -> None:
        pass
