"""One account of the fediverse in one run: found by its name, and looked at."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, Gone, LastWordError, Rejected
from lastword.post import Post
from lastword.sources.mastodon_account import Profile, id_of
from lastword.sources.mastodon_address import Place, place_of
from lastword.sources.mastodon_api import PAGE, Api, Closed
from lastword.sources.mastodon_feed import PublicFeed
from lastword.sources.mastodon_memory import Memory
from lastword.sources.mastodon_status import posts_of
from models import Account


class Visit:
    """What is learnt on the way is kept in the account at once, for the rest may fail.

    Args:
        account: the row; its source memory is assigned.
        rules: the account's own.
        api: how servers are asked.
        feed: how they are asked where they demand a token.

    Raises:
        Rejected: the account's handle is none.
    """

    def __init__(self, account: Account, rules: Rules, api: Api, feed: PublicFeed) -> None:
        self._account = account
        self._rules = rules
        self._api = api
        self._feed = feed
        self._activity: str | None = None  # as told in this visit, before any look
        try:
            handle = account.source.partition(":")[2]
            self._memory = Memory.of(handle, account.source_memory)
        except ValueError as error:
            raise Rejected(str(error)) from None

    @property
    def memory(self) -> Memory:
        """What is remembered of the account by now."""
        return self._memory

    @memory.setter
    def memory(self, memory: Memory) -> None:
        self._memory = memory
        self._account.source_memory = memory.to_json()

    @property
    def notice(self) -> str:
        """What the owner should know."""
        notices = []
        if self.memory.moved_to:
            notices.append("its source has moved: see `lastword why`")
        if self._api.refuses_token(self.memory.place.server):
            notices.append(self._of_token())
        return "; ".join(notices)

    def _of_token(self) -> str:
        server = self.memory.place.server
        return f"{server} refuses its token: set another in LASTWORD_MASTODON_TOKENS"

    async def choice(self, profile: Profile | None) -> Choice:
        """Return the newest eligible post.

        Args:
            profile: what the server said of the account together with others; None: not asked.

        Raises:
            LastWordError: as the servers answer.
        """
        try:
            if profile and (choice := self._unchanged(profile)):
                return choice
            if self.memory.is_known(self._rules.now):
                return await (self._read_feed() if self.memory.feed else self._look())
            await self._find()
            return await self._look(is_fresh=True)
        except Closed:
            return await self._find_feed()

    def _unchanged(self, profile: Profile) -> Choice | None:
        memory = self.memory
        if profile.suspended or (profile.moved and not memory.moved_to):
            self.memory = memory.but(looked_up=None)
            return None
        self._activity = profile.activity
        if not memory.moved_to:  # a move is told by the server that was left
            self.memory = memory.but(looked_up=self._rules.now)
        return memory.still_holds(profile.activity, self._rules)

    async def _find(self) -> None:
        """Ask for the account by its name, and by its new one where it has moved; one move only."""
        memory = self.memory
        home = memory.place if memory.moved_to is None else place_of(memory.handle)
        try:
            home, profile = await self._ask_at_home(home)
            self._unless_suspended(profile, home)
            target = profile.moved if profile.moved != home else None
        except (LastWordError, Closed):
            # The server that was left may be gone by now.
            if memory.moved_to is None:
                raise
            target = memory.place
        self.memory = memory.at(target or home, target)
        if target:
            profile = self._unless_suspended(await self._ask(target), target)
        self.memory = self.memory.found(profile.id, profile.activity, self._rules.now)
        self._activity = profile.activity

    async def _ask_at_home(self, home: Place) -> tuple[Place, Profile]:
        """Ask where the account was, or the host of its address; else where that one says."""
        try:
            return home, await self._ask(home)
        except (Gone, Rejected, Closed) as error:
            if isinstance(error, Closed) and self.memory.is_found:
                raise  # it is read by its feed there
            elsewhere = await self._api.home_of(place_of(self.memory.handle))
            if elsewhere is None or elsewhere == home:
                raise
            self._memory = self.memory.at(elsewhere, None)
            return elsewhere, await self._ask(elsewhere)

    async def _ask(self, place: Place) -> Profile:
        is_new = not (self.memory.is_found and place == self.memory.place)
        return await self._api.account(place, is_new=is_new)

    @staticmethod
    def _unless_suspended(profile: Profile, place: Place) -> Profile:
        if profile.suspended:
            raise Gone(
                f"{place.server} has suspended the account: ask its moderators, or remove it"
            )
        return profile

    async def _look(self, *, is_fresh: bool = False) -> Choice:
        """Choose from the newest statuses."""
        memory = self.memory
        statuses: list[Any] | None = None
        try:
            statuses = await self._api.statuses(memory.base, memory.id or "")
        except Gone:
            if is_fresh:
                raise
        if not is_fresh and (statuses is None or (memory.post and not statuses)):
            # Gone, suspended, or silent: the name says which, and may mean another id by now.
            await self._find()
            return await self._look(is_fresh=True)
        choice = await self._choose(statuses or [])
        activity = self._activity or memory.activity
        self.memory = memory.chose(choice).but(looked_at=self._rules.now, activity=activity)
        return choice

    async def _choose(self, statuses: list[Any]) -> Choice:
        posts = list(self._posts(statuses))
        choice = self._rules.choose(posts)
        if choice.post is None and len(statuses) >= PAGE and self._rules.may_follow(posts):
            # A thread answers itself; some have few posts with their own words; and some servers
            # list replies and reposts all the same. One page more, and no further.
            last = id_of(statuses[-1]) if isinstance(statuses[-1], dict) else None
            if last:
                older = await self._api.statuses(self.memory.base, self.memory.id or "", last)
                choice = self._rules.choose(self._posts(statuses + older))
        return choice

    def _posts(self, statuses: list[Any]) -> Iterator[Post]:
        memory = self.memory
        logged_in = self._api.has_token(memory.place.server)
        return posts_of(statuses, memory.id or "", memory.base, logged_in=logged_in)

    async def _read_feed(self) -> Choice:
        """Choose from the feed that was found before."""
        try:
            choice, self.memory = await self._feed.look(self.memory, self._rules)
        except (Gone, Rejected):
            await self._find()
            return await self._look(is_fresh=True)
        return choice

    async def _find_feed(self) -> Choice:
        """Choose from the account's feed, for its server demands a token."""
        memory = self.memory.but(looked_up=self._rules.now)
        try:
            if memory.feed:
                with suppress(Gone, Rejected):
                    choice, self.memory = await self._feed.look(memory, self._rules)
                    return choice
            choice, self.memory = await self._feed.find(memory, self._rules)
        except Rejected:
            if self._api.refuses_token(memory.place.server):
                raise Deferred(self._of_token()) from None
            raise
        return choice
