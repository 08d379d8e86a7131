"""What an account would show now: the way of a run from post to status, without any login."""

import asyncio
from dataclasses import dataclass

from lastword.eligibility import Rules
from lastword.errors import Transient
from lastword.post import Post
from lastword.services import tls_context
from lastword.settings import Settings
from lastword.sources import SOURCES
from lastword.sources.feed import found_feed
from lastword.sources.http import GuardedClient
from lastword.sync import status_for
from lastword.wiring import Wiring
from models import Account
from models.types import now

PATIENCE = 30
"""Seconds: somebody sits and waits, and one fetch after another may be needed."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The present newest post, and what it would become.

    Attributes:
        status: the status; empty where there is none.
        why: why there is none.
        post: the newest eligible post, or None.
        notice: what the owner should know about the source itself.
        feed: the feed's URL where another was given, or None.
    """

    status: str
    why: str
    post: Post | None
    notice: str
    feed: str | None


async def preview(wiring: Wiring, settings: Settings) -> Preview:
    """Return what a first run over an account of this wiring would publish now.

    Raises:
        Rejected, Gone: its source has nothing for us, and will not have by itself.
        Transient, Deferred, Systemic: it cannot be told now.
    """
    account = Account(**wiring.values())
    kind = account.source.partition(":")[0]
    rules = Rules.of(account, now=now(), max_age=settings.max_age, opt_out=settings.opt_out_tag)
    async with GuardedClient(settings, tls_context(settings)) as http:
        try:
            async with asyncio.timeout(PATIENCE):
                choice = await SOURCES[kind](http).latest(account, rules)
        except TimeoutError:
            raise Transient(f"no answer within {PATIENCE} s") from None
    post = choice.post
    status = status_for(account, post)
    why = "the newest post has no text" if post and not status else choice.why
    return Preview(status, why, post, choice.notice, found_feed(account))
