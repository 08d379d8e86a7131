"""One payload's way: asked for twice as a run does, made a status, and shown by a real server."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import regex

from bench.payloads_made import Payload
from bench.payloads_served import Hostile
from lastword.eligibility import Rules
from lastword.errors import Defect, LastWordError
from lastword.post import Post
from lastword.publishers.base import Publisher
from lastword.settings import Settings
from lastword.sources import SOURCES
from lastword.sources.http import GuardedClient, Reply
from lastword.status import clean
from lastword.surprise import frames
from lastword.sync import status_for
from models import Account
from models.types import now

DEADLINE = 5.0
"""Seconds for one fetch,"""
VISIT = 4 * DEADLINE
"""and for one visit of a source: it fetches several times at most."""
_MESSAGE = 300
_CODE_POINTS = 16
_GRAPHEME = regex.compile(r"\X")


@dataclass
class Tried:
    """What came of the payloads so far.

    Attributes:
        ends: how visits ended, by source: the error's class, `Post`, or `nothing`.
        shown: statuses that a server holds now, by publisher.
        troubles: what must not be.
        slowest: seconds of the longest visit.
    """

    ends: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def trouble(self, payload: Payload, what: str) -> None:
        self.troubles.append(f"payload {payload.number} ({payload.kind}): {what}")


class Client(GuardedClient):
    """Finds the hosts of handles at the local server, for port 443 is not ours to have."""

    def __init__(self, host: str, settings: Settings, tls: ssl.SSLContext) -> None:
        super().__init__(settings, tls)
        self._host = host

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Reply:
        parts = urlsplit(url)
        if (parts.hostname or "").endswith(".example"):
            url = f"http://{self._host}{parts.path}"
        return await super().get(url, headers, **more)


class Trial:
    """Tries payloads.

    Args:
        server: serves them.
        settings: let it be asked.
        tls: of no use, but asked for.
        tried: where to note what comes of them.
    """

    def __init__(
        self, server: Hostile, settings: Settings, tls: ssl.SSLContext, tried: Tried
    ) -> None:
        self._server = server
        self._settings = settings
        self._tls = tls
        self._tried = tried
        self._rules = Rules(now(), max_age=timedelta(days=36_500))

    async def __call__(
        self, payload: Payload, account: Account, publisher: Publisher, name: str
    ) -> None:
        """Try one payload on one account, whose user nobody else speaks for meanwhile."""
        account.source, account.source_memory = self._server.address(payload), {}
        for field_, value in payload.wiring.items():
            setattr(account, field_, value)
        try:
            post = await self._visit(payload, account)
            self._check(payload, post)
            status = self._status(payload, account, post or Post(id="1", text=payload.text))
        except Exception as error:  # noqa: BLE001 (that is what we are looking for)
            self._tried.trouble(payload, f"unexpected {frames(error)}")
            return
        try:
            await self._show(account, publisher, status, post)
            self._tried.shown[name] += 1
        except Exception as error:  # noqa: BLE001 (as above)
            said = f"{type(error).__name__}: {error}"[:_MESSAGE]
            self._tried.trouble(payload, f"{name} did not show {status[:80]!r}: {said}")

    async def _visit(self, payload: Payload, account: Account) -> Post | None:
        post = None
        # A client of its own: a host that answers nothing but junk is soon left alone.
        async with Client(self._server.host, self._settings, self._tls) as http:
            for _ in range(2):  # with what the first time left behind
                source = SOURCES[payload.kind](http)
                source.expect([account])
                began = monotonic()
                try:
                    choice = await source.latest(account, self._rules)
                    post, end = choice.post, "Post" if choice.post else "nothing"
                except LastWordError as error:
                    end = type(error).__name__
                    self._judge(payload, error)
                self._tried.slowest = max(self._tried.slowest, monotonic() - began)
                if monotonic() - began > VISIT:
                    self._tried.trouble(payload, f"the visit took {monotonic() - began:.1f} s")
                self._tried.ends[f"{payload.kind}: {end}"] += 1
                memory = json.dumps(account.source_memory, allow_nan=False)
                if "\\u0000" in memory:
                    self._tried.trouble(payload, "remembers a NUL, which PostgreSQL refuses")
                account.source_memory = json.loads(memory)
        return post

    def _judge(self, payload: Payload, error: LastWordError) -> None:
        said = str(error)
        if isinstance(error, Defect):
            self._tried.trouble(payload, f"a defect: {said}")
        if not said.isprintable() or len(said) > _MESSAGE:
            self._tried.trouble(payload, f"says {said[:_MESSAGE]!r}")

    def _check(self, payload: Payload, post: Post | None) -> None:
        """Check that both databases can store a post."""
        if post and "\0" in json.dumps(post.to_memory(), ensure_ascii=False).encode().decode():
            self._tried.trouble(payload, "gives a post with a NUL")

    def _status(self, payload: Payload, account: Account, post: Post) -> str:
        status = status_for(account, post)
        if clean(status) != status:
            self._tried.trouble(payload, f"is not clean: {status[:80]!r}")
        if len(_GRAPHEME.findall(status)) > account.length:
            self._tried.trouble(payload, f"is longer than {account.length}: {status[:80]!r}")
        if len(status) > account.length * _CODE_POINTS:
            self._tried.trouble(payload, f"has {len(status)} code points")
        return status

    @staticmethod
    async def _show(account: Account, publisher: Publisher, status: str, post: Post | None) -> None:
        """Show a status as `sync` does, and see that the server holds just that."""
        async with asyncio.timeout(60):
            async with publisher.session(account) as session:
                await session.current()
                await session.set(status or None, post)
            account.published_status = status or None
            async with publisher.session(account) as session:
                shown = await session.current() or ""
            if shown != status:
                raise ValueError(f"the server holds {str(shown)[:80]!r}")
