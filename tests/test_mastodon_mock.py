"""mastodon-mock, a server by others, as a second opinion on the API: as usual, and in trouble."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon
from models.types import now
from tests.fixtures_http import Client, newest
from tests.fixtures_mastodon import MastodonMock


@pytest.fixture
async def http(mastodon_mock: MastodonMock, client: Client) -> AsyncIterator[GuardedClient]:
    async with client(allow_hosts=frozenset({mastodon_mock.address})) as http:
        yield http


@pytest.fixture
async def hasty(mastodon_mock: MastodonMock, client: Client) -> AsyncIterator[GuardedClient]:
    """Waits for nobody longer than a second."""
    async with client(allow_hosts=frozenset({mastodon_mock.address}), http_deadline=1) as http:
        yield http


async def test_what_becomes_the_status(mastodon_mock: MastodonMock, http: GuardedClient) -> None:
    mock = mastodon_mock
    mastodon, account = Mastodon(http), mock.wired("alice")

    async def text() -> str | None:
        post = await newest(mastodon, account)
        return post.text if post else None

    assert await text() is None
    by_bob = await mock.call("POST", "statuses", "bob", status="by Bob")
    plain = await mock.call("POST", "statuses", status="Fish & chips\n#lunch")
    assert await text() == "Fish & chips\n#lunch"
    for visibility in ("private", "direct"):
        await mock.call("POST", "statuses", status="hidden", visibility=visibility)
    await mock.call("POST", f"statuses/{by_bob['id']}/reblog")
    await mock.call("POST", "statuses", status="@bob hm", in_reply_to_id=by_bob["id"])
    assert await text() == "Fish & chips\n#lunch"
    await mock.call("PUT", f"statuses/{plain['id']}", status="Fish only")
    assert await text() == "Fish only"
    await mock.call("POST", "statuses", status="The end", spoiler_text="Spoilers")
    assert await text() == "Spoilers"
    await mock.call("POST", "statuses", status="quiet #NoStatus", visibility="unlisted")
    assert await text() == "Spoilers"
    quiet = await mock.call("POST", "statuses", status="quiet", visibility="unlisted")
    assert await text() == "quiet"
    await mock.call("DELETE", f"statuses/{quiet['id']}")
    assert await text() == "Spoilers"
    with pytest.raises(Gone):
        await newest(mastodon, mock.wired("nobody"))


@pytest.mark.parametrize(
    ("effect", "more", "error", "says"),
    [
        ("ratelimit", {}, Deferred, "429 Too Many Requests"),
        ("status", {"status": 503, "headers": {"Retry-After": "60"}}, Deferred, "503"),
        ("status", {"status": 500}, Transient, "500 Internal Server Error"),
        ("status", {"status": 502}, Transient, "502 Bad Gateway"),
        ("status", {"status": 404}, Gone, "404 Not Found"),
        ("status", {"status": 410}, Gone, "410 Gone"),
        ("malformed", {"truncate": True}, Transient, "does not answer as a Mastodon server now"),
        ("malformed", {"truncate": False}, Transient, "does not answer as a Mastodon server now"),
        ("latency", {"delay_ms": 60_000}, Transient, "did not answer within 1 s"),
        ("timeout", {}, Transient, "did not answer within 1 s"),
    ],
)
async def test_trouble(
    effect: str,
    more: dict[str, object],
    error: type[LastWordError],
    says: str,
    mastodon_mock: MastodonMock,
    http: GuardedClient,
    hasty: GuardedClient,
) -> None:
    await mastodon_mock.call("POST", "statuses", status="hello")
    account = mastodon_mock.wired("alice")
    post = await newest(Mastodon(http), account)
    assert post
    await mastodon_mock.fail(effect, **more)
    with pytest.raises(error, match=says) as caught:
        await newest(Mastodon(hasty), account)
    assert type(caught.value) is error
    await mastodon_mock.reset()
    assert await newest(Mastodon(http), account) == post


async def test_trouble_at_first_sight(mastodon_mock: MastodonMock, http: GuardedClient) -> None:
    """An address that never worked may be wrong."""
    await mastodon_mock.fail("malformed")
    with pytest.raises(Rejected, match="check the server's name"):
        await newest(Mastodon(http), mastodon_mock.wired("alice"))


async def test_slow_is_not_down(mastodon_mock: MastodonMock, http: GuardedClient) -> None:
    await mastodon_mock.call("POST", "statuses", status="hello")
    await mastodon_mock.fail("latency", delay_ms=100)
    assert await newest(Mastodon(http), mastodon_mock.wired("alice"))


async def test_comes_back_when_the_server_says(
    mastodon_mock: MastodonMock, http: GuardedClient
) -> None:
    await mastodon_mock.fail("ratelimit")
    with pytest.raises(Deferred) as deferred:
        await newest(Mastodon(http), mastodon_mock.wired("alice"))
    assert deferred.value.until
    assert timedelta(seconds=240) < deferred.value.until - now() <= timedelta(seconds=301)
