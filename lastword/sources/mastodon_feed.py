"""An account's public feed, for servers that show the rest to nobody without a token.

Feeds are outside of the API's throttle. What each has in it:

- Mastodon's has no boosts and no replies to others;
- GoToSocial's, which its users have to switch on, the same and no unlisted posts;
- Pleroma's and Akkoma's name replies as such, in Atom (RFC 4685);
- Pixelfed's has captions.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, Rejected, Transient
from lastword.post import Post
from lastword.sources.feed_xml import read_xml
from lastword.sources.http import GuardedClient, Reply
from lastword.sources.items import read_apart
from lastword.sources.mastodon_memory import Memory

_PATHS = ("/@{}.rss", "/@{}/feed.rss", "/users/{}/feed.atom", "/users/{}.atom")
_ACCEPT = {"Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"}
_STATUS = re.compile(r"https?://[^/]+/(?:@|users/)[^/]+/(?:statuses/)?(\d{1,64})")


class PublicFeed:
    """Finds and reads accounts' feeds. Remembers where, the ETag, and the choice.

    Args:
        http: the guarded client.
    """

    def __init__(self, http: GuardedClient) -> None:
        self._http = http

    async def find(self, memory: Memory, rules: Rules) -> tuple[Choice, Memory]:
        """Look for the feed of an account whose server demands a token, and read it.

        Raises:
            LastWordError: Rejected where there is none; else as the server answers.
        """
        for path in _PATHS:
            url = memory.base + path.format(memory.user)
            try:
                return await self._look(memory.but(feed=url, etag=None), rules)
            except (Gone, Rejected, ValueError):
                continue
        raise Rejected(
            f"{memory.place.server} shows posts only to those who have a token, and has no feed of"
            " the account: switch its feed on, or have the operator set a token for the server in"
            " LASTWORD_MASTODON_TOKENS"
        )

    async def look(self, memory: Memory, rules: Rules) -> tuple[Choice, Memory]:
        """Read the feed that was found before.

        Raises:
            LastWordError: as the server answers.
        """
        try:
            return await self._look(memory, rules)
        except ValueError as error:
            raise Transient(f"{memory.place.server} answers with no feed now") from error

    async def _look(self, memory: Memory, rules: Rules) -> tuple[Choice, Memory]:
        choice = memory.choice
        known = {"If-None-Match": memory.etag} if memory.etag and choice else {}
        reply = await self._http.get(memory.feed or "", _ACCEPT | known)
        if known and choice and reply.status == 304:  # noqa: PLR2004
            return rules.again(choice), memory
        chosen = await read_apart(
            lambda body, url: rules.choose(_posts(body, url)), reply.body, reply.url
        )
        return chosen, memory.chose(chosen).but(etag=_etag(reply), looked_at=rules.now)


def _posts(body: bytes, url: str) -> Iterator[Post]:
    """Yield a feed's posts, with the ids that Mastodon's API gives them, where it is Mastodon's.

    So a post stays the same one when the server opens, or a token is set.
    """
    for post in read_xml(body, url):
        status = _STATUS.fullmatch(post.id)
        yield replace(post, id=status[1]) if status else post


def _etag(reply: Reply) -> str | None:
    etag = reply.headers.get("etag", "")
    return etag if etag.isascii() and etag.isprintable() and 0 < len(etag) <= 500 else None  # noqa: PLR2004
