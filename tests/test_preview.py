"""What an account would show now: the same as a run, and nobody is logged in."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.post import Post
from lastword.preview import preview
from lastword.publishers.base import Confirmation, Publisher
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources import build_sources
from lastword.sync import sync
from lastword.wiring import Wiring
from models import Account
from models.database import Database
from models.types import now
from tests.fixtures_fediverse import Instance
from tests.fixtures_http import Client, Serve, Server, once, respond, silence

DAY = timedelta(days=1)


def rss(text: str, age: timedelta = timedelta(), link: str = "https://blog.example/1") -> bytes:
    time = f"{now() - age:%a, %d %b %Y %H:%M:%S} GMT"
    return (
        f"<rss version='2.0'><channel><item><title>{text}</title><link>{link}</link>"
        f"<pubDate>{time}</pubDate></item></channel></rss>"
    ).encode()


def wiring(server: Server, **more: Any) -> Wiring:  # noqa: ANN401
    given = {"name": "alice", "source": f"feed:{server.url}", "jid": "alice@chat.example"}
    return Wiring(**given | more)


def allowing(*hosts: str, **more: Any) -> Settings:  # noqa: ANN401
    return Settings.model_validate({"allow_hosts": frozenset(hosts), "http_deadline": 10} | more)


class Shelf(Publisher):
    """Takes a status without any server."""

    def __init__(self) -> None:
        self.status: str | None = None

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["Shelf"]:
        del account
        yield self

    async def current(self) -> str | None:
        return self.status

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del post
        self.status = status
        return Confirmation("memory")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"template": "{text} ({url}, {source})", "length": 90, "mentions": False},
        {"hashtags": False, "length": 12},
        {"only": "hello", "never": "goodbye"},
        {"only": "goodbye"},
        {"never": "#world"},
        {"max_age": DAY},
        {"expires_after": DAY},
    ],
)
async def test_it_is_what_a_run_publishes(
    options: dict[str, Any], serve: Serve, client: Client
) -> None:
    server = await serve(once(respond(rss("Hello @bob@social.example #world", 2 * DAY))))
    wired, settings = wiring(server, **options), allowing(server.host)
    seen = await preview(wired, settings)

    publisher = Shelf()
    async with client(server) as http:
        services = Services(
            settings=settings,
            database=cast("Database", None),
            http=http,
            sources=build_sources(http),
            publishers={"login": cast("Any", publisher)},
            until_the_end=AsyncExitStack(),
        )
        outcome = await sync(Account(**wired.values()), services)

    assert seen.status == (publisher.status or "")
    assert (seen.post, seen.why) == (outcome.post, "" if seen.post else outcome.reason)
    assert bool(seen.status) != bool(seen.why)


async def test_the_settings_count(serve: Serve) -> None:
    server = await serve(once(respond(rss("Hello #quiet", 2 * DAY))))
    for more in ({"max_age": DAY}, {"opt_out_tag": "quiet"}):
        seen = await preview(wiring(server), allowing(server.host, **more))
        assert seen.status == ""
        assert seen.why.startswith("no eligible post: the newest ")


async def test_a_post_without_words_for_a_status(serve: Serve) -> None:
    server = await serve(once(respond(rss("#tag"))))
    seen = await preview(wiring(server, hashtags=False), allowing(server.host))
    assert (seen.status, seen.why) == ("", "the newest post has no text")


async def test_the_feed_of_a_page_is_named(serve: Serve) -> None:
    feed = await serve(once(respond(rss("Hello"))))
    link = f'Link: <{feed.url}>; rel=alternate; type="application/rss+xml"'
    page = await serve(once(respond(b"<p>Welcome", link, "Content-Type: text/html")))
    seen = await preview(wiring(page), allowing(page.host, feed.host))
    assert (seen.status, seen.feed) == ("Hello", feed.url)
    assert (await preview(wiring(feed), allowing(feed.host))).feed is None


async def test_a_profile_that_has_moved(instance: Instance) -> None:
    instance.add("alicia", "110")
    instance.accounts["alice"]["moved"] = {"acct": "alicia"}
    wired = Wiring("alice", f"mastodon:{instance.handle()}", "alice@chat.example")
    seen = await preview(wired, allowing(instance.address, max_age=36_500 * DAY))
    assert seen.notice.startswith("its source has moved")
    assert seen.status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", Gone),
        ("403 Forbidden", Rejected),
        ("429 Too Many Requests", Deferred),
        ("500 Internal Server Error", Transient),
    ],
)
async def test_what_the_source_says(status: str, kind: type[LastWordError], serve: Serve) -> None:
    server = await serve(once(respond(status=status)))
    with pytest.raises(kind):
        await preview(wiring(server), allowing(server.host))


async def test_a_person_does_not_wait_for_ever(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastword.preview.PATIENCE", 0.1)
    server = await serve(silence)
    with pytest.raises(Transient, match=r"no answer within 0\.1 s"):
        await preview(wiring(server), allowing(server.host))
