"""Feeds: every flavour to the post it must become, and asking only for what is new."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.serving import serving
from lastword.errors import Gone, Rejected, Transient
from lastword.judged import latest
from lastword.sources.feed import Feed, read_feed
from models import Account
from tests.fixtures_http import RULES, Client, newest

DATA = Path(__file__).parent / "data" / "feed"
URL = "https://feeds.example/a/feed.xml"


def saved(name: str) -> bytes:
    return (DATA / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [it for it in sorted(DATA.iterdir()) if it.is_file() and not it.name.endswith(".post.json")],
    ids=lambda path: path.name,
)
def test_saved_feeds(path: Path) -> None:
    expected = json.loads((DATA / f"{path.name.rsplit('.', 1)[0]}.post.json").read_text("utf-8"))
    post = RULES.choose(read_feed(path.read_bytes(), URL)).post
    assert (post.to_memory() if post else None) == expected


class Host:
    """A host with one feed, that counts what it sends."""

    def __init__(self) -> None:
        self.body = saved("rss20.xml")
        self.status = 200
        self.headers: dict[str, str] = {}
        self.conditions: list[tuple[str | None, str | None]] = []
        self.port = 0

    async def answer(self, request: Request) -> Response:
        asked = request.headers
        self.conditions.append((asked.get("if-none-match"), asked.get("if-modified-since")))
        if asked.get("if-none-match") and asked.get("if-none-match") == self.headers.get("etag"):
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, self.status, self.headers, media_type="application/rss+xml")

    def account(self, path: str = "feed.xml") -> Account:
        source = f"feed:http://127.0.0.1:{self.port}/{path}"
        return Account(name="alice", source=source, jid="alice@chat.example")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    async with serving(Starlette(routes=[Route("/{path:path}", host.answer)])) as host.port:
        yield host


@pytest.fixture
async def feed(host: Host, client: Client) -> AsyncIterator[Feed]:
    async with client(allow_hosts=frozenset({f"127.0.0.1:{host.port}"})) as http:
        yield Feed(http)


async def test_etag(host: Host, feed: Feed) -> None:
    host.headers = {"ETag": 'W/"1"', "Last-Modified": "Tue, 03 Jun 2025 10:00:00 GMT"}
    account = host.account()
    first = await newest(feed, account)
    again = await newest(feed, account)
    assert first is not None
    assert first.text == "Bread & roses: a review"
    assert again == first
    assert host.conditions == [(None, None), ('W/"1"', "Tue, 03 Jun 2025 10:00:00 GMT")]


async def test_memory_is_plain_json(host: Host, feed: Feed) -> None:
    account = host.account()
    post = await newest(feed, account)
    account.source_memory = json.loads(json.dumps(account.source_memory))
    assert await newest(feed, account) == post


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {}])
async def test_what_other_settings_let_pass_gives_way_to_the_next(
    headers: dict[str, str], host: Host, feed: Feed
) -> None:
    tagged = b"<item><title>New #private</title></item><item><title>Old</title></item>"
    host.body, host.headers = b"<rss><channel>" + tagged + b"</channel></rss>", headers
    account, texts = host.account(), list[str]()
    other = replace(RULES, opt_out="private")
    for rules in (RULES, other, other, RULES):
        choice = await latest(feed, account, rules)
        texts.append(choice.post.text if choice.post else "")
    assert texts == ["New #private", "Old", "Old", "New #private"]


async def test_same_body_is_not_read_again(
    host: Host, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = host.account()
    first = await newest(feed, account)
    monkeypatch.setattr("lastword.sources.feed.read_xml", None)
    assert await newest(feed, account) == first
    assert host.conditions == [(None, None)] * 2


async def test_new_post(host: Host, feed: Feed) -> None:
    host.headers = {"ETag": '"1"'}
    account = host.account()
    await newest(feed, account)
    host.headers = {"ETag": '"2"'}
    host.body = saved("empty.xml")
    assert await newest(feed, account) is None
    assert account.source_memory["post"] is None
    assert await newest(feed, account) is None
    assert [condition for condition, _ in host.conditions] == [None, '"1"', '"2"']


async def test_memory_of_another_feed_is_not_used(host: Host, feed: Feed) -> None:
    host.headers = {"ETag": '"1"'}
    account = host.account()
    await newest(feed, account)
    account.source = host.account("other.xml").source
    assert await newest(feed, account) is not None
    assert host.conditions == [(None, None)] * 2


@pytest.mark.parametrize(
    "damage",
    [
        {"hash": None},
        {"post": {"id": 5, "text": None}},
        {"post": {"id": "5", "text": "x", "time": "2025-01-01T00:00:00"}},
        {"post": []},
        {"found": 7},
        {"etag": ["x"]},
        {"why": None},
    ],
    ids=repr,
)
async def test_memory_that_is_damaged(damage: dict[str, object], host: Host, feed: Feed) -> None:
    host.headers = {"ETag": '"1"'}
    account = host.account()
    post = await newest(feed, account)
    kept = account.source_memory
    for memory in (kept | damage, {"url": kept["url"]}):
        account.source_memory = memory
        assert await newest(feed, account) == post
    assert host.conditions == [(None, None)] * 3
    assert account.source_memory == kept


async def test_validator_that_cannot_be_sent_back(host: Host, feed: Feed) -> None:
    host.headers = {"ETag": '"é"'}
    account = host.account()
    await newest(feed, account)
    assert await newest(feed, account) is not None
    assert host.conditions == [(None, None)] * 2


async def test_not_modified_unasked(host: Host, feed: Feed) -> None:
    host.status, host.body = 304, b""
    with pytest.raises(Rejected, match="which is no feed"):
        await newest(feed, host.account())


async def test_not_a_feed(host: Host, feed: Feed) -> None:
    host.body = b"<!doctype html><html><body><p>Welcome</p></body></html>"
    host.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(Rejected) as refused:
        await newest(feed, host.account())
    assert str(refused.value) == (
        "127.0.0.1 answers with text/html, which is no feed and announces none:"
        " give the address of its RSS, Atom or JSON feed"
    )


async def test_feed_that_became_something_else_may_heal(host: Host, feed: Feed) -> None:
    account = host.account()
    post = await newest(feed, account)
    good, host.body = host.body, b"<h1>Database error</h1>"
    with pytest.raises(Transient, match="where the feed was"):
        await newest(feed, account)
    host.body = good
    assert await newest(feed, account) == post


async def test_feed_that_is_gone_keeps_its_memory(host: Host, feed: Feed) -> None:
    account = host.account()
    await newest(feed, account)
    memory = account.source_memory
    host.status = 410
    with pytest.raises(Gone):
        await newest(feed, account)
    assert account.source_memory == memory


async def test_the_encoding_that_only_a_header_says(host: Host, feed: Feed) -> None:
    host.body = "<rss><channel><item><title>Привет</title></item></channel></rss>".encode("cp1251")
    host.headers = {"Content-Type": "text/xml; charset=windows-1251"}
    post = await newest(feed, host.account())
    assert post is not None
    assert post.text == "Привет"


@pytest.mark.parametrize("kind", ["<rss><channel><title>x", "<rss><channel", "<feed><title>x"])
async def test_cut_off_before_its_first_entry(kind: str, host: Host, feed: Feed) -> None:
    """It must not pass for a feed without posts: that would clear the status."""
    whole, host.body = host.body, f'<?xml version="1.0"?>{kind}'.encode()
    account = host.account()
    with pytest.raises(Rejected):
        await newest(feed, account)
    host.body = whole
    post = await newest(feed, account)
    host.body = f'<?xml version="1.0"?>{kind}'.encode()
    with pytest.raises(Transient, match="where the feed was"):
        await newest(feed, account)
    host.body = b"<rss><channel><title>Q&A</title></channel></rss>"
    assert await newest(feed, account) is None
    host.body = whole
    assert await newest(feed, account) == post


async def test_large_feed(host: Host, feed: Feed) -> None:
    item = b"<item><title>x</title><guid isPermaLink='false'>%d</guid></item>"
    items = b"".join(item % number for number in range(15_000))
    host.body = b"<rss version='2.0'><channel>" + items + b"</channel></rss>"
    post = await newest(feed, host.account())
    assert post is not None
    assert post.id == "0"


@pytest.mark.parametrize(
    ("handle", "normal"),
    [
        ("https://blog.example/feed.xml", "https://blog.example/feed.xml"),
        (" HTTPS://Blog.Example/Feed?x=1#top ", "https://blog.example/Feed?x=1"),
        ("//blog.example/feed", "https://blog.example/feed"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("http://127.0.0.1:8000/feed", "http://127.0.0.1:8000/feed"),
    ],
)
def test_check(handle: str, normal: str) -> None:
    assert Feed.check(handle) == normal
    assert Feed.check(normal) == normal


@pytest.mark.parametrize(
    "handle",
    [
        *("", "feed.xml", "ftp://blog.example", "https://", "https://a:b@blog.example/"),
        *("https://x y/", "https://blog.example/" + "a" * 3000),
    ],
)
def test_check_refuses(handle: str) -> None:
    with pytest.raises(ValueError, match=r"feed:https://blog\.example/feed\.xml"):
        Feed.check(handle)


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("https://blog.example/", "https://blog.example/"),
        ("https://Blog.Example/Feed?x=1#top", "https://blog.example/Feed?x=1"),
        ("blog.example", "https://blog.example"),
        ("www.blog.example/feed?x=1", "https://www.blog.example/feed?x=1"),
        ("blog.example:8443/feed", "https://blog.example:8443/feed"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("http://blog.example/feed", "https://blog.example/feed"),
        ("http://blog.example:80/", "https://blog.example/"),
        # At a port of its own the operator may have allowed it.
        ("http://127.0.0.1:8000/feed", "http://127.0.0.1:8000/feed"),
        ("https://medium.example/@alice", "https://medium.example/@alice"),
        ("medium.example/@alice", "https://medium.example/@alice"),
    ],
)
def test_recognises(pasted: str, url: str) -> None:
    assert Feed.recognise(pasted) == url
    assert Feed.check(url) == url


@pytest.mark.parametrize(
    "pasted",
    [
        *("", "alice", "@alice", "@alice.example", "alice@social.example", "alice@chat.example/x"),
        *("ftp://blog.example/", "at://alice.example", "mailto:a@b.example", "did:plc:x", "feed:x"),
        *("https://", "https://a:b@blog.example/", "a:b@blog.example", "blog..example", ".example"),
        *(
            "1.5",
            "10.0.0.1",
            "3.14/x",
            "a b.example",
            "blog.example.",
            "./feed.xml",
            "alice@blog.example/feed",
        ),
        "blog.example/" + "x" * 3000,
    ],
)
def test_does_not_recognise(pasted: str) -> None:
    assert Feed.recognise(pasted) is None
