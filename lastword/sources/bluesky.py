"""Bluesky, and every other server of its protocol, atproto.

https://atproto.com and https://docs.bsky.app
"""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus

from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, Gone, Rejected, Transient
from lastword.sources.base import Source
from lastword.sources.bluesky_identity import BlueskySettings, Directory, Identity
from lastword.sources.bluesky_memory import Memory
from lastword.sources.bluesky_names import checked_name, recognised
from lastword.sources.bluesky_repo import choose, list_posts
from lastword.sources.bluesky_xrpc import host_of
from lastword.sources.http import GuardedClient, Reply
from models import Account

_FEW = 10
_MANY = 100
_DAY = timedelta(days=1)
_LONGEST_ETAG = 500
_RENAMED = "the account has another handle now: it is followed by its DID"


class Bluesky(Source):
    """An account, known by its DID, on whatever data server it is.

    Remembers the DID and the server, the ETag (RFC 9110, 8.8) or a hash of the answer, and the
    post that was chosen. No login: repositories are public.
    """

    judged = frozenset({"choice", "etag", "digest"})

    def __init__(self, http: GuardedClient) -> None:
        super().__init__(http)
        self._directory = Directory(http, BlueskySettings())

    @staticmethod
    def check(handle: str) -> str:
        """Return the handle or DID in its normal form. See `Source.check`."""
        return checked_name(handle)

    @staticmethod
    def recognise(pasted: str) -> str | None:
        """Return the handle or DID of a profile, of a post, or after an @. See `Source.recognise`.

        A bare domain is nobody's but that of bsky.social: others may as well be blogs.
        """
        return recognised(pasted)

    @staticmethod
    def host(handle: str) -> str:
        """Return the host that is asked first: where the posts are is not known yet."""
        web = handle.removeprefix("did:web:").replace("%3A", ":")
        return web if web != handle else host_of(BlueskySettings().resolver)

    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the newest eligible post. See `Source.latest`."""
        try:
            source = checked_name(account.source.partition(":")[2])
        except ValueError as error:
            raise Rejected(str(error)) from None
        memory = Memory.read(account.source_memory, source)
        identity = await self._identity(source, memory, rules)
        try:
            choice, memory = await self._newest(source, identity, memory, rules)
        except (Gone, Rejected, Transient):
            if memory is None or identity is not memory.identity:
                raise
            moved = await self._read_again(source, identity)
            if moved.pds == identity.pds:
                raise
            identity = moved
            choice, memory = await self._newest(source, identity, None, rules)
        account.source_memory = memory.to_json()
        return choice if identity.name == source else replace(choice, notice=_RENAMED)

    async def _identity(self, source: str, memory: Memory | None, rules: Rules) -> Identity:
        """Return who it is: looked up once, its document read again when it is a day old."""
        if memory is None:
            return await self._directory.find(source)
        if rules.now - memory.identity.seen < _DAY:
            return memory.identity
        return await self._read_again(source, memory.identity)

    async def _read_again(self, source: str, known: Identity) -> Identity:
        """Return the identity of the DID as it is now, or as it was where that cannot be told."""
        try:
            return await self._directory.read(known.did, source)
        except (Deferred, Rejected, Transient):
            return known

    async def _newest(
        self, source: str, identity: Identity, memory: Memory | None, rules: Rules
    ) -> tuple[Choice, Memory]:
        kept = memory if memory and _is_same(memory.identity, identity) else None
        before = kept.choice if kept else None
        etag = kept.etag if kept and before else ""
        reply = await list_posts(self._http, identity, _FEW, etag=etag)
        digest = sha256(reply.body).hexdigest()
        if kept and before and (reply.status == HTTPStatus.NOT_MODIFIED or digest == kept.digest):
            return rules.again(before), replace(kept, identity=identity)
        choice, cursor = await choose(reply, identity, rules, _FEW)
        if choice.post is None and cursor:
            # Somebody who answers a lot. The ETag says nothing of the second page: none is kept.
            more = await list_posts(self._http, identity, _MANY, cursor=cursor)
            older, _ = await choose(more, identity, rules, _MANY)
            return replace(older, why=choice.why), Memory(source, identity)
        return choice, Memory(source, identity, choice, _etag_of(reply), digest)


def _is_same(one: Identity, other: Identity) -> bool:
    return replace(one, seen=other.seen) == other


def _etag_of(reply: Reply) -> str:
    """Return the ETag, if it can be sent back as it is."""
    etag = reply.headers.get("etag", "")
    return etag if etag.isascii() and etag.isprintable() and len(etag) <= _LONGEST_ETAG else ""
