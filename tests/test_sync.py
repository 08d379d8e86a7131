"""The story of one account, on a source and a publisher written by hand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, Rejected
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.publishers.base import MIXED, Confirmation, Mixed, Publisher
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from lastword.status import status_of
from lastword.sync import ends_soon, sync
from models import Account, Health, OutcomeKind
from models.database import Database
from models.types import now

POST = Post(id="1", text="Hello,\nworld", url="https://a.example/1")


class OnePost(Source):
    """A source that has one post, or none."""

    def __init__(self, post: Post | None) -> None:
        self.post = post
        self.error: Exception | None = None
        self.notice = ""

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account
        if self.error:
            raise self.error
        return replace(rules.choose([self.post] if self.post else []), notice=self.notice)


@dataclass
class Memory(Publisher):
    """A publisher whose server is a variable; counts its sessions."""

    shown: str | Mixed | None = None
    post: Post | None = None
    sessions: int = 0
    sets: list[str | None] = field(default_factory=list)
    is_standing: bool = True

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["Memory"]:
        del account
        self.sessions += 1
        yield self

    async def current(self) -> str | Mixed | None:
        return self.shown

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        self.shown, self.post = status, post
        self.sets.append(status)
        return Confirmation("memory")

    async def stands(self, account: Account) -> bool:
        del account
        return self.is_standing

    async def close(self) -> None:
        pass


@dataclass
class World:
    source: OnePost
    publisher: Memory
    account: Account
    services: Services

    async def sync(self, *, force: bool = False, dry_run: bool = False) -> Outcome:
        return await sync(self.account, self.services, force=force, dry_run=dry_run)


@pytest.fixture
def world(tmp_path: Path) -> World:
    source, publisher = OnePost(POST), Memory()
    account = Account(name="alice", source="feed:https://a.example/feed", jid="alice@chat.example")
    services = Services(
        settings=Settings(data_dir=tmp_path),
        # Neither is reached by the story itself.
        database=cast("Database", None),
        http=cast("GuardedClient", None),
        sources={"feed": source},
        publishers={"login": publisher},
        until_the_end=AsyncExitStack(),
    )
    return World(source, publisher, account, services)


async def test_a_new_post_is_published(world: World) -> None:
    outcome = await world.sync()
    assert outcome.kind is OutcomeKind.PUBLISHED
    assert (outcome.status, outcome.post, outcome.carrier) == ("Hello, world", POST, "memory")
    assert world.publisher.shown == "Hello, world"


async def test_what_we_published_is_not_even_looked_at(world: World) -> None:
    world.account.published_status = "Hello, world"
    outcome = await world.sync()
    assert outcome.kind is OutcomeKind.UNCHANGED
    assert world.publisher.sessions == 0


@pytest.mark.parametrize(("minutes", "sessions"), [(41, 0), (39, 1), (-600, 1)])
async def test_what_lingers_is_renewed_in_time(world: World, minutes: float, sessions: int) -> None:
    world.account.published_status = world.publisher.shown = "Hello, world"
    until = now() + timedelta(minutes=minutes)
    world.account.session_memory = f"{until.isoformat()} v1.sealed"
    outcome = await world.sync()
    assert outcome.kind is OutcomeKind.UNCHANGED
    assert world.publisher.sessions == sessions
    assert world.publisher.sets == []


def test_when_a_session_ends_soon() -> None:
    noon, run = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(minutes=40)
    assert not ends_soon(None, now=noon, until_next_run=run)
    assert not ends_soon(noon + run, now=noon, until_next_run=run)
    assert ends_soon(noon + timedelta(minutes=39), now=noon, until_next_run=run)
    assert ends_soon(noon - timedelta(days=1), now=noon, until_next_run=run)


async def test_what_does_not_stand_any_more_is_set_anew(world: World) -> None:
    world.account.published_status = "Hello, world"
    world.publisher.is_standing = False
    outcome = await world.sync()
    assert outcome.kind is OutcomeKind.PUBLISHED
    assert world.publisher.shown == "Hello, world"


async def test_what_the_server_has_already_is_not_set_again(world: World) -> None:
    world.publisher.shown = "Hello, world"
    outcome = await world.sync()
    assert outcome.kind is OutcomeKind.UNCHANGED
    assert outcome.status == "Hello, world", "remembered, so that the next run need not ask"
    assert world.publisher.sets == []


async def test_another_choice_of_pep_is_seen_to_though_nothing_is_new(world: World) -> None:
    stands(world)
    world.account.pep = "activity,tune"
    assert (await world.sync()).reason == "the server has it already"
    world.publisher.shown = None  # as where one of the two lacks it
    outcome = await world.sync()
    assert (outcome.kind, world.publisher.post) == (OutcomeKind.PUBLISHED, POST)
    world.account.pep_memory = {"asked": "activity,tune", "held": {}}
    assert (await world.sync()).reason == "nothing new"


async def test_force_publishes_even_what_is_unchanged(world: World) -> None:
    world.account.published_status = world.publisher.shown = "Hello, world"
    outcome = await world.sync(force=True)
    assert outcome.kind is OutcomeKind.PUBLISHED
    assert world.publisher.sets == ["Hello, world"]


async def test_a_dry_run_does_everything_but_publish(world: World) -> None:
    outcome = await world.sync(dry_run=True)
    assert outcome.kind is OutcomeKind.SKIPPED
    assert outcome.status is None
    assert (world.publisher.sessions, world.publisher.sets) == (1, [])


async def test_no_post_is_skipped(world: World) -> None:
    world.source.post = None
    assert (await world.sync()).kind is OutcomeKind.SKIPPED
    world.source.post = Post(id="2", text="\u202e \x07")
    assert (await world.sync()).kind is OutcomeKind.SKIPPED
    assert world.publisher.sessions == 0


async def test_a_template_shapes_the_status(world: World) -> None:
    world.account.template = "{text} & {url}"
    await world.sync()
    assert world.publisher.shown == "Hello, world & https://a.example/1"


async def test_an_account_that_waits_for_its_owner_is_never_tried(world: World) -> None:
    world.account.health = Health.NEEDS_OWNER
    world.account.last_reason = "chat.example refused the password"
    with pytest.raises(Rejected, match="refused the password"):
        await world.sync(force=True)
    assert world.publisher.sessions == 0


async def test_no_reason_tells_what_the_post_says(world: World) -> None:
    for flags in ({}, {"dry_run": True}):
        outcome = await world.sync(**flags)
        assert "Hello" not in outcome.reason


def stands(world: World, post: Post | None = None) -> None:
    """Let the world be as after a run that published."""
    account, post = world.account, post or POST
    account.published_status = world.publisher.shown = status_of(post)
    account.published_post_id, account.published_at = post.id, now() - timedelta(hours=5)


async def test_an_edited_post_gives_a_new_status(world: World) -> None:
    stands(world)
    world.source.post = Post(id="1", text="Hello, world!")
    outcome = await world.sync()
    assert (outcome.kind, world.publisher.shown) == (OutcomeKind.PUBLISHED, "Hello, world!")


async def test_a_deleted_post_takes_its_status_along(world: World) -> None:
    stands(world)
    world.source.post = None
    dry = await world.sync(dry_run=True)
    assert dry.reason == "dry run: the status would be cleared: there is no post"
    outcome = await world.sync()
    assert (outcome.kind, outcome.status) == (OutcomeKind.PUBLISHED, "")
    assert outcome.reason == "cleared: there is no post"
    assert world.publisher.sets == [None]


async def test_what_is_cleared_already_is_not_cleared_again(world: World) -> None:
    stands(world)
    world.source.post, world.publisher.shown = None, None
    outcome = await world.sync()
    assert (outcome.kind, outcome.status) == (OutcomeKind.UNCHANGED, "")
    world.account.published_status = None
    assert (await world.sync()).kind is OutcomeKind.SKIPPED
    assert world.publisher.sessions == 1
    assert world.publisher.sets == []


async def test_what_is_left_in_some_place_is_cleared(world: World) -> None:
    stands(world)
    world.source.post, world.publisher.shown = None, MIXED
    outcome = await world.sync()
    assert (outcome.kind, outcome.status) == (OutcomeKind.PUBLISHED, "")
    assert world.publisher.sets == [None]


async def test_words_that_are_not_ours_are_not_replaced_by_a_renewal(world: World) -> None:
    stands(world)
    world.publisher.shown = "At lunch"
    world.account.session_memory = f"{now().isoformat()} v1.sealed"
    outcome = await world.sync()
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.UNCHANGED,
        "the user has set other words since",
    )
    assert world.publisher.sets == []
    world.source.post = Post(id="2", text="Home again")
    assert (await world.sync()).kind is OutcomeKind.PUBLISHED, "a new post does"


async def test_words_that_are_not_ours_are_not_cleared(world: World) -> None:
    stands(world)
    world.source.post, world.publisher.shown = None, "At lunch"
    outcome = await world.sync()
    assert (outcome.kind, outcome.status) == (OutcomeKind.SKIPPED, "")
    assert world.publisher.shown == "At lunch"


async def test_a_status_that_expires_is_cleared(world: World) -> None:
    stands(world)
    world.account.expires_after = timedelta(hours=6)
    assert (await world.sync()).kind is OutcomeKind.UNCHANGED
    world.account.expires_after = timedelta(hours=4)
    outcome = await world.sync()
    assert outcome.reason == "cleared: no eligible post: the newest has expired"


@pytest.mark.parametrize("error", [Gone("410"), Rejected("401")])
async def test_it_expires_even_where_the_source_is_gone(world: World, error: Exception) -> None:
    stands(world)
    world.account.source_memory = {"it": "worked before"}
    world.source.error = error
    with pytest.raises(Gone):
        await world.sync()
    world.account.expires_after = timedelta(hours=4)
    assert (await world.sync()).reason == f"cleared: {error}"
    world.account.published_status = None
    with pytest.raises(Gone):
        await world.sync()


async def test_what_stands_stays_though_it_grows_old(world: World) -> None:
    old = Post(id="1", text="Hello", time=now() - timedelta(days=90))
    world.source.post = old
    assert (await world.sync()).reason == "no eligible post: the newest is older than 30d"
    stands(world, old)
    assert (await world.sync()).kind is OutcomeKind.UNCHANGED


async def test_what_a_source_remembers_tells_under_which_settings(world: World) -> None:
    world.account.source_memory = {"id": "1"}
    await world.sync()
    assert world.account.source_memory == {"id": "1"}
    settings = world.services.settings.model_copy(update={"opt_out_tag": "private"})
    world.services = replace(world.services, settings=settings)
    await world.sync()
    assert world.account.source_memory == {"id": "1", "judged_by": "30d #private"}


async def test_what_the_owner_should_know_is_told_with_the_outcome(world: World) -> None:
    world.source.notice = "its source has moved"
    assert (await world.sync()).reason == "by memory; its source has moved"
    stands(world)
    assert (await world.sync()).reason == "nothing new; its source has moved"
