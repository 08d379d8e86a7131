"""X: accounts asked for together, a hundred in one request, with the app's own token.

https://docs.x.com/x-api
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, LastWordError, Rejected, Systemic, Transient
from lastword.post import Post
from lastword.sources.base import Source
from lastword.sources.batches import Batches
from lastword.sources.http import GuardedClient
from lastword.sources.items import newest_first
from lastword.sources.x_api import Api
from lastword.sources.x_memory import Memory
from lastword.sources.x_post import post_of
from lastword.sources.x_search import REACH, Search, time_of
from lastword.sources.x_settings import TOGETHER, XSettings
from lastword.sources.x_user import User
from models import Account

_NAME = re.compile(r"@?(\w{1,15})", re.ASCII)
_SITES = {"x.com", "twitter.com"}
_NO_NAMES = {"home", "explore", "search", "i", "intent", "share", "hashtag", "settings", "login"}
_FEW, _MANY = 5, 25
_DAY = timedelta(days=1)
_RENAMED = "the account has another name at X now: it is followed by its id"


class X(Source):
    """An account at X, known by its id once it was found."""

    judged = frozenset({"looked", "since"})

    def __init__(self, http: GuardedClient) -> None:
        super().__init__(http)
        settings = XSettings()
        self._api = Api(http, settings.x_api, settings.x_token, settings.x_word)
        self._by_id = Batches(partial(self._api.users, "id"), TOGETHER)
        self._by_name = Batches(partial(self._api.users, "username"), TOGETHER)
        self._search = Search(self._api) if settings.x_mode == "search" else None

    @staticmethod
    def check(handle: str) -> str:
        """Return the account's name in lower case. See `Source.check`."""
        name = X.recognise(handle) or handle
        if not (match := _NAME.fullmatch(name)):
            raise ValueError(
                "a name at X is up to 15 letters, digits and _, like x:alice or https://x.com/alice"
            )
        return match[1].lower()

    @staticmethod
    def recognise(pasted: str) -> str | None:
        """Return the name in an address of a profile or post. See `Source.recognise`."""
        try:
            url = urlsplit(pasted if "://" in pasted else f"https://{pasted}")
            host = (url.hostname or "").removeprefix("www.").removeprefix("mobile.")
        except ValueError:
            return None
        name = url.path.strip("/").split("/")[0].removeprefix("@").lower()
        is_name = _NAME.fullmatch(name) and name not in _NO_NAMES
        return name if host in _SITES and url.scheme in ("http", "https") and is_name else None

    @staticmethod
    def host(handle: str) -> str:
        """Return the host of X's API. See `Source.host`."""
        del handle
        return urlsplit(XSettings().x_api).netloc

    @staticmethod
    def remarks(accounts: int) -> list[str]:
        """Return what X costs. See `Source.remarks`."""
        settings = XSettings()
        if settings.x_token is None:
            raise Systemic("set LASTWORD_X_TOKEN to your app's bearer token", kind="x")
        return [settings.cost(accounts)]

    def expect(self, accounts: Sequence[Account]) -> None:
        """See `Source.expect`."""
        wired = [
            (name := _name(account), Memory.read(account.source_memory, name))
            for account in accounts
        ]
        known = [memory for _, memory in wired if memory]
        if self._search:
            searched = [(it.id, it.since) for it in known if self._is_searched(it)]
            self._search.expect(searched)
        self._by_id.expect(it.id for it in known if not self._is_searched(it))
        self._by_name.expect(name for name, it in wired if not it and _NAME.fullmatch(name))

    def _is_searched(self, memory: Memory) -> bool:
        if self._search is None or not memory.since:
            return False
        return time_of(self._search.since) - time_of(memory.since) < REACH

    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the account's newest eligible post. See `Source.latest`."""
        name = _name(account)
        if not _NAME.fullmatch(name):
            raise Rejected(f"x:{name[:32]} is no name at X: it looks like x:alice")
        memory = Memory.read(account.source_memory, name)
        searched = await self._searched(memory, rules) if memory else None
        memory = searched or await self._looked_up(name, memory, rules)
        account.source_memory = memory.to_json()
        return replace(memory.choice, notice="" if memory.name == name else _RENAMED)

    async def _searched(self, memory: Memory, rules: Rules) -> Memory | None:
        if self._search is None or not self._is_searched(memory):
            return None
        found = await self._search.load(memory.id, memory.since)
        if found is None:
            return None
        new = rules.choose(_newest_first(found.posts, memory))
        choice = new if new.post else rules.again(memory.choice)
        return replace(memory, choice=choice, since=found.since)

    async def _looked_up(self, name: str, before: Memory | None, rules: Rules) -> Memory:
        """Return what there is now. A name counts once: somebody else may take it up later."""
        found = await (self._by_id.load(before.id) if before else self._by_name.load(name))
        user = _shown(found)
        memory = Memory(
            source=name,
            id=user.id,
            name=user.name,
            newest=user.newest_id,
            choice=rules.choose([user.newest] if user.newest else []),
            since=self._search.since if self._search else "",
        )
        if memory.choice.post or not user.newest_id:
            return memory
        if user.newest and not rules.may_follow([user.newest]):
            return memory
        looked = before.looked if before and before.newest == memory.newest else None
        if before and looked and rules.now - looked < _DAY:
            # Each look at older posts is paid for; what was deleted among them shows in a day.
            return replace(memory, choice=rules.again(before.choice), looked=looked)
        older = await self._older(memory, rules)
        return replace(memory, choice=older if older.post else memory.choice, looked=rules.now)

    async def _older(self, memory: Memory, rules: Rules) -> Choice:
        page = await self._api.own_posts(memory.id, _MANY if rules.only or rules.never else _FEW)
        data = page.get("data")
        return rules.choose(_newest_first(data if isinstance(data, list) else [], memory))


def _name(account: Account) -> str:
    return account.source.partition(":")[2]


def _newest_first(entities: Sequence[object], memory: Memory) -> Iterator[Post]:
    posts = (post_of(entity, memory.id, memory.name) for entity in entities)
    return newest_first(((post.time, post) for post in posts if post), lambda post: post)


def _shown(found: User | LastWordError | None) -> User:
    """Return the account, if everyone may see its posts."""
    match found:
        case None:
            raise Transient("X left the account out of its answer")
        case LastWordError():
            raise type(found)(str(found))  # its own, for it may be met by many
        case User(is_protected=True):
            raise Gone("the account is protected: only its followers may see its posts")
    return found
