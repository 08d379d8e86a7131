"""Runs of the real flow on Prefect's real server, over posts and a chat server made up here.

Import it when Prefect's environment is set: Prefect reads that when it is first imported.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import cast
from unittest.mock import patch

from bench.one_run import Shelf
from flows.run_here import run_here
from lastword.eligibility import Choice, Rules
from lastword.post import Post
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account
from models.database import Database

_TEXT = "A post as people write them, of about as many words as they need for that, number {}"


class _Turning(Source):
    """A source in which one account of four has a new post at every second look."""

    def __init__(self) -> None:
        self.looks: dict[str, int] = {}

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        looks = self.looks[account.name] = self.looks.get(account.name, 0) + 1
        number = looks // 2 if (account.id or 0) % 4 == 0 else 0
        url = f"https://social.example/@{account.name}/{110_000_000_000_000_000 + number}"
        return rules.choose([Post(id=url, text=_TEXT.format(number), url=url)])


def run_many(names: Sequence[str] | None, *, at_most: int, seconds: float) -> int:
    """Run over these accounts, one run after another.

    Args:
        names: which; None for all.
        at_most: runs.
        seconds: none is begun later.

    Returns:
        How many runs there were.
    """
    source, shelf, began, done = _Turning(), Shelf(), monotonic(), 0

    @asynccontextmanager
    async def scripted(settings: Settings) -> AsyncIterator[Services]:
        async with Database.open(settings.database) as database:
            yield Services(
                settings=settings,
                database=database,
                http=cast("GuardedClient", None),
                sources={"feed": source},
                publishers={"login": shelf},
                until_the_end=AsyncExitStack(),
            )

    accounts = list(names) if names else None
    with patch("flows.lifespan.open_services", scripted):
        while done < at_most and monotonic() - began < seconds:
            run_here("all", accounts, force=False, dry_run=False, listener=lambda *_: None)
            done += 1
    return done
