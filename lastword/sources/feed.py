"""Feeds: RSS, Atom and JSON Feed, asked politely: what has not changed is not sent again."""

import re
from hashlib import sha256
from typing import Any

from lastword.eligibility import Choice, Rules
from lastword.errors import Rejected, Transient
from lastword.sources.base import Source
from lastword.sources.feed_json import read_json
from lastword.sources.feed_xml import read_xml
from lastword.sources.hosts import parse_url
from lastword.sources.http import Reply
from lastword.sources.items import read_apart
from models import Account

_EXAMPLE = "a feed's address looks like feed:https://blog.example/feed.xml"
_LONGEST = 2_000
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml,"
    " application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,60}", re.ASCII)
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class Feed(Source):
    """A feed at a URL.

    Remembers the URL, the validators (RFC 9110, 8.8), a hash of the body for servers that send
    none, and the post that was chosen.
    """

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

    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the feed's newest eligible post. See `Source.latest`."""
        url = account.source.partition(":")[2]
        memory = account.source_memory if account.source_memory.get("url") == url else {}
        reply = await self._http.get(url, {"Accept": _ACCEPT} | _conditions(memory))
        digest = sha256(reply.body).hexdigest()
        if memory and (reply.status == 304 or digest == memory["hash"]):  # noqa: PLR2004
            choice = rules.again(Choice.from_memory(memory))
        else:
            choice = await self._read(reply, rules, was_feed=bool(memory))
            memory = {"url": url, "hash": digest} | choice.to_memory()
        account.source_memory = memory | _validators(reply)
        return choice

    async def _read(self, reply: Reply, rules: Rules, *, was_feed: bool) -> Choice:
        read = read_json if reply.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else read_xml
        try:
            return await read_apart(
                lambda body, url: rules.choose(read(body, url)), reply.body, reply.url
            )
        except ValueError as error:
            host = parse_url(reply.url).host
            kind = _MEDIA_TYPE.match(reply.headers.get("content-type", ""))
            got = kind[0] if kind else "something else"
            if was_feed:
                raise Transient(f"{host} answers with {got} where the feed was") from error
            raise Rejected(
                f"{host} answers with {got}, not with a feed:"
                " give the address of its RSS, Atom or JSON feed"
            ) from error


def _conditions(memory: dict[str, Any]) -> dict[str, str]:
    return {header: memory[name] for name, header in _VALIDATORS.items() if name in memory}


def _validators(reply: Reply) -> dict[str, str]:
    """Return the validators that can be sent back as they are."""
    found = {name: reply.headers.get(name, "") for name in _VALIDATORS}
    return {
        name: value
        for name, value in found.items()
        if value and value.isascii() and value.isprintable() and len(value) <= 500  # noqa: PLR2004
    }
