"""Servers that answer nobody without a token: a token of ours, or the account's public feed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import RedirectResponse

from lastword.errors import Deferred, Rejected, Transient
from lastword.judged import latest
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon, MastodonSettings
from lastword.sources.mastodon_address import place_of
from tests.fixtures_fediverse import DATA, Ask, Instance, Start
from tests.fixtures_http import RULES, newest

TOMORROW = replace(RULES, now=RULES.now + timedelta(days=1, minutes=1))
FEEDS = {
    "mastodon.rss": "/@alice.rss",
    "gotosocial.rss": "/@alice/feed.rss",
    "pleroma.atom": "/users/alice/feed.atom",
    "pixelfed.atom": "/users/alice.atom",
}
FEED = (DATA / "mastodon.rss").read_text("utf-8")


@pytest.fixture
async def closed(start_instance: Start) -> Instance:
    """A server that demands a token of all who ask its API."""
    instance = await start_instance()
    instance.token = "right"
    return instance


@pytest.fixture
async def http(closed: Instance, asking: Ask) -> AsyncIterator[GuardedClient]:
    async with asking(closed) as http:
        yield http


@pytest.mark.parametrize("name", FEEDS)
async def test_saved_feeds(name: str, closed: Instance, http: GuardedClient) -> None:
    closed.feeds[FEEDS[name]] = (DATA / name).read_text("utf-8")
    expected = json.loads((DATA / f"{name}.post.json").read_text("utf-8"))
    account = closed.wired()
    for _ in range(2):
        post = await newest(Mastodon(http), account)
        assert (post.to_memory() if post else None) == expected


async def test_feed_is_remembered(closed: Instance, http: GuardedClient) -> None:
    closed.feeds["/users/alice/feed.atom"] = FEED
    account, mastodon = closed.wired(), Mastodon(http)
    post = await newest(mastodon, account)
    feeds = ["/@alice.rss", "/@alice/feed.rss", "/users/alice/feed.atom"]
    assert closed.asked == ["lookup alice", "/.well-known/webfinger", *feeds]
    assert await newest(mastodon, account) == post
    closed.feeds["/users/alice/feed.atom"] = FEED.replace("Spoilers", "More spoilers")
    changed = await newest(mastodon, account)
    assert changed
    assert changed.text == "Content warning: More spoilers"
    assert closed.asked[5:] == ["/users/alice/feed.atom unchanged", "/users/alice/feed.atom"]


async def test_api_is_tried_again_each_day(closed: Instance, http: GuardedClient) -> None:
    closed.feeds["/@alice.rss"] = FEED
    account, mastodon = closed.wired(), Mastodon(http)
    before = await newest(mastodon, account)
    assert await newest(mastodon, account, TOMORROW) == before
    assert closed.asked[3:] == ["lookup alice", "/@alice.rss unchanged"]
    closed.token = None
    later = replace(TOMORROW, now=TOMORROW.now + timedelta(days=1, minutes=1))
    after = await newest(mastodon, account, later)
    assert closed.asked[5:] == ["lookup alice", "109/statuses"]
    assert before and after  # noqa: PT018
    assert after.id == before.id


async def test_unchanged_feed_is_judged_as_it_stands(closed: Instance, http: GuardedClient) -> None:
    closed.feeds["/@alice.rss"] = FEED
    account, mastodon = closed.wired(), Mastodon(http)
    assert await newest(mastodon, account)
    assert await newest(mastodon, account, replace(RULES, max_age=timedelta(days=1))) is None
    assert closed.asked[-1] == "/@alice.rss unchanged"


async def test_what_was_chosen_by_other_settings(closed: Instance, http: GuardedClient) -> None:
    closed.feeds["/@alice.rss"] = FEED
    account, mastodon = closed.wired(), Mastodon(http)
    young = replace(RULES, max_age=timedelta(days=1))
    assert (await latest(mastodon, account, young)).post is None
    assert (await latest(mastodon, account, RULES)).post
    assert closed.asked[-2:] == ["/@alice.rss", "/@alice.rss"]


async def test_feed_that_goes(closed: Instance, http: GuardedClient) -> None:
    closed.feeds["/@alice.rss"] = FEED
    account, mastodon = closed.wired(), Mastodon(http)
    await newest(mastodon, account)
    closed.feeds["/@alice.rss"] = "<html>Sorry</html>"
    with pytest.raises(Transient, match="answers with no feed now"):
        await newest(mastodon, account)
    closed.feeds = {"/@alice/feed.rss": FEED}
    assert await newest(mastodon, account)
    closed.feeds.clear()
    with pytest.raises(Rejected, match="set a token for the server in LASTWORD_MASTODON_TOKENS"):
        await newest(mastodon, account)


async def test_no_feed(closed: Instance, http: GuardedClient) -> None:
    account = closed.wired()
    with pytest.raises(Rejected) as refused:
        await newest(Mastodon(http), account)
    assert str(refused.value) == (
        f"{closed.address} shows posts only to those who have a token, and has no feed of the"
        " account: switch its feed on, or have the operator set a token for the server in"
        " LASTWORD_MASTODON_TOKENS"
    )
    assert account.source_memory == {}


async def test_statuses_alone_are_closed(closed: Instance, http: GuardedClient) -> None:
    closed.token = None
    account, mastodon = closed.wired(), Mastodon(http)
    await newest(mastodon, account)
    closed.token, closed.feeds["/@alice.rss"] = "right", FEED
    assert await newest(mastodon, account)
    assert closed.asked[2:] == ["109/statuses", "/@alice.rss"]


async def test_login_page_in_place_of_a_refusal(closed: Instance, http: GuardedClient) -> None:
    closed.token, closed.feeds = None, {"/auth/sign_in": "Log in", "/@alice.rss": FEED}
    closed.instead = RedirectResponse("/auth/sign_in")
    assert await newest(Mastodon(http), closed.wired())


@pytest.fixture
def token(closed: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = {closed.address: "right", "other.example": "other"}
    monkeypatch.setenv("LASTWORD_MASTODON_TOKENS", json.dumps(tokens))


@pytest.mark.usefixtures("token")
async def test_token(closed: Instance, http: GuardedClient) -> None:
    account = closed.wired()
    choice = await Mastodon(http).latest(account, RULES)
    assert choice.post
    assert not choice.notice
    assert closed.asked == ["lookup alice", "109/statuses"]
    assert closed.authorization == ["Bearer right"] * 2
    assert "right" not in json.dumps(account.source_memory)


@pytest.mark.usefixtures("token")
async def test_what_only_we_are_shown_is_not_public(closed: Instance, http: GuardedClient) -> None:
    del closed.statuses["109"][0]["visibility"]
    post = await newest(Mastodon(http), closed.wired())
    assert post
    assert post.text == "older"


@pytest.mark.usefixtures("token")
async def test_refused_token_is_dropped(
    closed: Instance, http: GuardedClient, caplog: pytest.LogCaptureFixture
) -> None:
    closed.token, closed.feeds["/@alice.rss"] = "another", FEED
    mastodon, account = Mastodon(http), closed.wired()
    said = f"{closed.address} refuses its token: set another in LASTWORD_MASTODON_TOKENS"
    for _ in range(2):
        choice = await mastodon.latest(account, RULES)
        assert choice.post
        assert choice.notice == said
    assert closed.authorization == ["Bearer right", None]
    assert [record.message for record in caplog.records if "token" in record.message] == [said]


@pytest.mark.usefixtures("token")
async def test_refused_token_is_not_the_accounts_fault(
    closed: Instance, http: GuardedClient
) -> None:
    closed.token = "another"
    with pytest.raises(Deferred, match="refuses its token: set another"):
        await newest(Mastodon(http), closed.wired())


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nX: 1", "\u00e9"])
def test_tokens_fit_in_a_header(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_MASTODON_TOKENS", json.dumps({"social.example": token}))
    with pytest.raises(ValueError, match=r"what 'social.example' has is no access token"):
        MastodonSettings()


@pytest.mark.parametrize(
    ("name", "server"),
    [
        (" Social.Example ", "social.example"),
        ("social.example.", "social.example"),
        ("social.example:443", "social.example"),
        ("b\u00fccher.example:8443", "xn--bcher-kva.example:8443"),
    ],
)
def test_tokens_by_the_name_that_addresses_have(
    name: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_MASTODON_TOKENS", json.dumps({name: "secret\n"}))
    tokens = MastodonSettings().mastodon_tokens
    assert {host: token.get_secret_value() for host, token in tokens.items()} == {server: "secret"}
    assert place_of(f"alice@{name.strip()}").server == server


@pytest.mark.parametrize("name", ["https://social.example", "alice@social.example", "", "a b"])
async def test_tokens_are_for_servers(
    name: str, http: GuardedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_MASTODON_TOKENS", json.dumps({name: "secret"}))
    with pytest.raises(ValueError, match="is not the name of a server") as wrong:
        Mastodon(http)
    assert "mastodon_tokens" in str(wrong.value)
    assert "secret" not in str(wrong.value)
