"""A world in a script: sources and chat servers that fail on schedule."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from lastword.breaker import Breaker
from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, Gone, LoginRefused, Rejected, Systemic, Transient
from lastword.post import Post
from lastword.publishers.base import Confirmation, Publisher
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account
from models.types import now

START = datetime(2026, 3, 1, tzinfo=UTC)
CROWDED = "social.example"
"""Half of all accounts post here."""
_DAY = 24.0
_FOR_GOOD = 1e5
_POSTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, from one hour since the start to another.

    Attributes:
        of_login: whether the chat server is at fault, not the source.
        owner_acts: when the owner changes something, in hours; None: never.
    """

    begins: float
    ends: float
    error: Callable[[], Exception]
    of_login: bool = False
    owner_acts: float | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One account's month.

    Attributes:
        posts_every: hours from one post to the next; 0: they stopped long ago.
    """

    name: str
    kind: str
    host: str
    posts_every: float
    faults: Sequence[Fault] = ()
    is_paused: bool = False

    @property
    def owner_acts(self) -> list[datetime]:
        """When its owner changes something."""
        hours = [it.owner_acts for it in self.faults if it.owner_acts is not None]
        return [START + timedelta(hours=it) for it in hours]

    def fault(self, hours: float, *, of_login: bool) -> Fault | None:
        """Return what is wrong at that hour."""
        found = (it for it in self.faults if it.of_login is of_login)
        return next((it for it in found if it.begins <= hours < it.ends), None)

    def posts(self, moment: datetime) -> list[Post]:
        """Return the newest posts, newest first; the very newest is a reply, and never shown."""
        if not self.posts_every:
            return [Post(id="old", text="long ago", time=START - timedelta(days=400))]
        newest = int(_hours(moment) // self.posts_every)
        posts = [self._post(newest - back) for back in range(_POSTS_SHOWN)]
        return [Post(id="reply", text="no", time=moment, reply=True), *posts]

    def _post(self, number: int) -> Post:
        time = START + timedelta(hours=number * self.posts_every)
        return Post(id=f"{number}", text=f"{self.name} writes {number}", time=time)


def lives(count: int, kinds: Sequence[str] = ()) -> list[Life]:
    """Return so many lives by turns, of these kinds, or else of all, the failing ones more often.

    What is well is due in every run, which takes the longest, and shows the least.
    """
    kinds = kinds or [kind for kind in KINDS for _ in range(_OFTEN.get(kind, 1))]
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        host = CROWDED if number % 2 else f"blog{number}.example"
        posts_every, faults = KINDS[kind](number)
        if host == CROWDED:
            faults = [*faults, _CROWDED_DOWN]
        found.append(
            Life(f"{kind}-{number}", kind, host, posts_every, faults, is_paused=kind == "paused")
        )
    return found


def _hours(moment: datetime) -> float:
    return (moment - START) / timedelta(hours=1)


def _always(error: Callable[[], Exception], begins: float, ends: float = _FOR_GOOD) -> list[Fault]:
    return [Fault(begins, ends, error)]


def _no_answer() -> Exception:
    return Transient("the host does not answer")


_CROWDED_DOWN = Fault(10 * _DAY, 11 * _DAY, _no_answer)

_Kind = Callable[[int], tuple[float, list[Fault]]]
KINDS: Mapping[str, _Kind] = {
    "well": lambda n: (5 + n % 7, []),
    "quiet": lambda _: (0, []),
    "blinking": lambda n: (
        9,
        [Fault(t, t + 0.6, _no_answer) for t in range(n % 11, 720, 31)],
    ),
    "down": lambda n: (7, _always(_no_answer, 20 + n % 30, 26 * _DAY + n % 40)),
    "dead": lambda n: (7, _always(_no_answer, n % 50)),
    "refused": lambda n: (
        4,
        [
            Fault(
                30 + n % 60,
                23 * _DAY + n % 60,
                lambda: LoginRefused("chat.example refused the password"),
                of_login=True,
                owner_acts=23 * _DAY + 1 + n % 60,
            )
        ],
    ),
    "wrong": lambda n: (
        4,
        _always(lambda: Rejected("there is no such account"), n % 40),
    ),
    "gone": lambda n: (6, _always(lambda: Gone("suspended"), 40 + n % 90, 25 * _DAY + n % 70)),
    "limited": lambda n: (
        6,
        [
            Fault(t, t + 3, lambda: Deferred("no more requests", now() + timedelta(hours=3)))
            for t in range(n % 17, 720, 50)
        ],
    ),
    "surprising": lambda n: (8, _always(lambda: KeyError("what"), 90 + n % 50, 24 * _DAY)),
    "app": lambda _: (8, _always(lambda: Systemic("the app's key was refused"), 99.9, 100.4)),
    "paused": lambda _: (3, []),
}
_OFTEN = {"dead": 5, "down": 4, "gone": 4, "refused": 2, "wrong": 2, "surprising": 2}


@dataclass
class World:
    """All lives, and what was asked of their servers.

    Attributes:
        tried: names whose source was asked, or whose login was tried, in the present run.
        published: by name, each status set and when.
        troubles: what a server saw that it never should.
    """

    lives: Mapping[str, Life]
    tried: set[str] = field(default_factory=set)
    shown: dict[str, str | None] = field(default_factory=dict)
    published: dict[str, list[tuple[datetime, str | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    troubles: list[str] = field(default_factory=list)


class ScriptedSource(Source):
    """Asked as a real one is, behind a breaker of its run."""

    def __init__(self, world: World) -> None:
        super().__init__(cast("GuardedClient", None))
        self._world = world
        self._breaker = Breaker()

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        life = self._world.lives[account.name]
        self._world.tried.add(life.name)
        fault = life.fault(_hours(now()), of_login=False)
        async with self._breaker.watching(life.host):
            if fault is _CROWDED_DOWN:
                raise fault.error()
        if fault:  # one account's own trouble: its host serves the others
            raise fault.error()
        return rules.choose(life.posts(now()))


@dataclass(frozen=True, slots=True)
class ScriptedPublisher(Publisher):
    world: World

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["_Session"]:
        life = self.world.lives[account.name]
        self.world.tried.add(life.name)
        if fault := life.fault(_hours(now()), of_login=True):
            raise fault.error()
        yield _Session(self.world, life)

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Session:
    world: World
    life: Life

    async def current(self) -> str | None:
        return self.world.shown.get(self.life.name)

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del post
        name, moment = self.life.name, now()
        newest = next((it.text for it in self.life.posts(moment) if not it.reply), None)
        if status != newest:
            self.world.troubles.append(f"{name}: {status!r} was set where {newest!r} is newest")
        if self.world.shown.get(name) == status:
            self.world.troubles.append(f"{name}: {status!r} was set twice")
        self.world.shown[name] = status
        self.world.published[name].append((moment, status))
        return Confirmation("shared_status")
