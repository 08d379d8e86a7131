"""Feeds: RSS, Atom and JSON Feed, asked politely: what has not changed is not sent again.

Where the address is that of a page, the feed that the page announces is asked.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, LastWordError, Rejected, Transient
from lastword.post import Post
from lastword.sources.base import Source
from lastword.sources.discovery import announced, secured
from lastword.sources.encoding import in_utf_8
from lastword.sources.feed_json import read_json
from lastword.sources.feed_memory import remembered
from lastword.sources.feed_xml import read_xml
from lastword.sources.hosts import parse_url
from lastword.sources.http import Reply
from lastword.sources.items import read_apart
from models import Account

_EXAMPLE = "a feed's address looks like feed:https://blog.example/feed.xml"
_INSTEAD = "give the address of its RSS, Atom or JSON feed"
_LONGEST = 2_000
_LONGEST_VALIDATOR = 500
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml,"
    " application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_DOMAIN = r"(?:[^\s./@:?#]+\.)+[^\W\d_][^\s./@:?#]*"
_WITHOUT_SCHEME = re.compile(rf"{_DOMAIN}(?::\d+)?(?:[/?#].*)?")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,60}", re.ASCII)
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}

_Found = tuple[Choice, dict[str, Any]]
"""What was chosen, and what to remember beside the source's URL."""


class _NotAFeed(Exception):
    """Something other than a feed was answered."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def __str__(self) -> str:
        kind = _MEDIA_TYPE.match(self.reply.headers.get("content-type", ""))
        host = parse_url(self.reply.url).host
        return f"{host} answers with {kind[0] if kind else 'something else'}"


class Feed(Source):
    """A feed at a URL, or the one that a page at the URL announces.

    Remembers the URL, the feed that was found if it is another one, its validators (RFC 9110,
    8.8), a hash of the body for servers that send none, and the post that was chosen.
    """

    judged = frozenset({"hash", *_VALIDATORS})

    @staticmethod
    def check(handle: str) -> str:
        """Return the feed's URL in its normal form. See `Source.check`."""
        # `feed://host/path` is an old way to write `https://host/path`.
        text = f"https:{handle}" if handle.startswith("//") else handle
        try:
            url = parse_url(text.strip())
        except ValueError as error:
            raise ValueError(f"{error}: {_EXAMPLE}") from None
        normal = str(url.copy_with(fragment=None))
        if len(normal) > _LONGEST:
            raise ValueError(f"the address is longer than {_LONGEST} characters: {_EXAMPLE}")
        return normal

    @staticmethod
    def recognise(pasted: str) -> str | None:
        """Return the URL of a web address or a bare domain. See `Source.recognise`.

        What is http becomes https, for nothing else is asked but where the operator allows a
        port; then the address has one.
        """
        text = with_scheme(pasted)
        try:
            return secured(Feed.check(text)) if "://" in text else None
        except ValueError:
            return None

    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the feed's newest eligible post. See `Source.latest`."""
        url = account.source.partition(":")[2]
        memory = remembered(account.source_memory, url)
        if "found" in memory:
            choice, memory = await self._ask_found(url, memory, rules)
        else:
            choice, memory = await self._ask_given(url, memory, rules)
        account.source_memory = memory | {"url": url}
        return choice

    async def _ask_given(self, url: str, memory: dict[str, Any], rules: Rules) -> _Found:
        """Ask the address that people gave, and what it announces if it is new and no feed."""
        try:
            return await self._ask(url, memory, rules)
        except _NotAFeed as error:
            if memory:
                # A page in place of a feed may be the host's own, and so may what it announces.
                raise Transient(f"{error} where the feed was") from None
            return await self._discover(error, await announced(error.reply), rules)

    async def _ask_found(self, url: str, memory: dict[str, Any], rules: Rules) -> _Found:
        """Ask the feed that was found before; look for another where it is one no more."""
        found = memory["found"]
        trouble: LastWordError
        try:
            choice, kept = await self._ask(found, memory, rules)
            return choice, kept | {"found": found}
        except _NotAFeed as error:
            trouble = Transient(f"{error} where the feed was")
        except (Gone, Rejected) as error:
            trouble = error
        try:
            return await self._ask(url, {}, rules)
        except _NotAFeed as error:
            links = await announced(error.reply)
            if not links or found in links:  # then another must not take its place
                raise trouble from None
            return await self._discover(error, links, rules)

    async def _discover(self, page: _NotAFeed, links: list[str], rules: Rules) -> _Found:
        """Ask the feeds that a page announces, until one answers as such.

        One that is only down ends the search: another must not take its place for good.

        Raises:
            Rejected: there is none.
        """
        why = ""
        for link in links:
            try:
                choice, memory = await self._ask(link, {}, rules)
            except (_NotAFeed, Gone, Rejected) as error:
                why = why or str(error).partition(": ")[0]
                continue
            return choice, memory | {"found": link}
        if not links:
            raise Rejected(f"{page}, which is no feed and announces none: {_INSTEAD}")
        host = parse_url(page.reply.url).host
        raise Rejected(f"{host} announces a feed that cannot be used ({why}): {_INSTEAD}")

    async def _ask(self, url: str, memory: dict[str, Any], rules: Rules) -> _Found:
        """Ask a feed, for what is new if it is known.

        Raises:
            _NotAFeed: something else was answered.
        """
        reply = await self._http.get(url, {"Accept": _ACCEPT} | _conditions(memory))
        digest = sha256(reply.body).hexdigest()
        if memory and (reply.status == HTTPStatus.NOT_MODIFIED or digest == memory.get("hash")):
            return rules.again(Choice.from_memory(memory)), memory | _validators(reply)
        kind = reply.headers.get("content-type", "")
        try:
            choice = await read_apart(
                lambda body, url: rules.choose(read_feed(body, url, kind)), reply.body, reply.url
            )
        except ValueError as error:
            raise _NotAFeed(reply) from error
        return choice, {"hash": digest} | choice.to_memory() | _validators(reply)


def with_scheme(pasted: str) -> str:
    """Return a bare domain, and what may follow it, as a web address; anything else as it is."""
    return f"https://{pasted}" if _WITHOUT_SCHEME.fullmatch(pasted) else pasted


def read_feed(body: bytes, url: str, content_type: str = "") -> Iterator[Post]:
    """Return a feed's posts, from the newest on.

    Args:
        body: the answer's.
        url: where it came from.
        content_type: the header's value; empty where there is none.

    Raises:
        ValueError: it is no feed.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return read_json(body, url)
    return read_xml(in_utf_8(body, content_type), url)


def found_feed(account: Account) -> str | None:
    """Return the feed that was found from the account's address, or None where it is one."""
    found = account.source_memory.get("found")
    return str(found) if found and account.source.startswith("feed:") else None


def _conditions(memory: dict[str, Any]) -> dict[str, str]:
    return {header: memory[name] for name, header in _VALIDATORS.items() if name in memory}


def _validators(reply: Reply) -> dict[str, str]:
    """Return the validators that can be sent back as they are."""
    found = {name: reply.headers.get(name, "") for name in _VALIDATORS}
    return {
        name: value
        for name, value in found.items()
        if value and value.isascii() and value.isprintable() and len(value) <= _LONGEST_VALIDATOR
    }
