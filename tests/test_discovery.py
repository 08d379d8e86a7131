"""Feeds behind a page: what it announces is found, kept, and found again after a change."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.serving import serving
from lastword.errors import Deferred, Gone, Rejected, Transient
from lastword.sources.discovery import MOST, announced, secured
from lastword.sources.feed import Feed, found_feed
from lastword.sources.http import Reply
from models import Account
from tests.fixtures_http import Client, newest

RSS = 'rel="alternate" type="application/rss+xml"'
PAGE = "https://blog.example/de/index.html"


def feed_of(title: str) -> str:
    guid = f'<guid isPermaLink="false">{title}</guid>'
    return f'<rss version="2.0"><channel><item><title>{title}</title>{guid}</item></channel></rss>'


def page_with(*links: str) -> str:
    return f"<!doctype html><html><head><title>Blog</title>{''.join(links)}</head><body>Hi</body>"


async def found_in(html: str | bytes, url: str = PAGE, **headers: str) -> list[str]:
    body = html.encode() if isinstance(html, str) else html
    given = {"content-type": "text/html"} | {key.replace("_", "-"): headers[key] for key in headers}
    return await announced(Reply(200, given, body, url))


class Site:
    """A host with pages and feeds, that writes down what it is asked for."""

    def __init__(self) -> None:
        self.there: dict[str, str] = {"/feed": feed_of("One"), "/other": feed_of("Other")}
        self.there["/"] = page_with(f"<link {RSS} href=feed>")
        self.headers: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        self.port = 0

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        known = request.headers.get("if-none-match")
        self.asked.append(f"{path} {known}" if known else path)
        if known and known == self.headers.get("ETag"):
            return Response(status_code=304, headers=self.headers)
        body = self.there.get(path)
        kind = "text/html" if body and body.startswith("<!doctype html>") else "application/rss+xml"
        status = self.status.get(path, 404 if body is None else 200)
        return Response(body or "", status, self.headers, media_type=kind)

    def account(self, path: str = "/") -> Account:
        source = f"feed:http://127.0.0.1:{self.port}{path}"
        return Account(name="alice", source=source, jid="alice@chat.example")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with serving(Starlette(routes=[Route("/{path:path}", site.answer)])) as site.port:
        yield site


@pytest.fixture
async def feed(site: Site, client: Client) -> AsyncIterator[Feed]:
    async with client(allow_hosts=frozenset({f"127.0.0.1:{site.port}"})) as http:
        yield Feed(http)


async def text(feed: Feed, account: Account) -> str | None:
    post = await newest(feed, account)
    return post.text if post else None


# What a page announces


@pytest.mark.parametrize(
    ("links", "urls"),
    [
        ([f'<link {RSS} href="feed.xml">'], ["https://blog.example/de/feed.xml"]),
        (
            ['<LINK REL="Home ALTERNATE" TYPE="Application/ATOM+xml; charset=utf-8" HREF=/a>'],
            ["https://blog.example/a"],
        ),
        (
            ["<link rel=alternate type=application/feed+json href='//j.example/?a=1&amp;b=2#x'>"],
            ["https://j.example/?a=1&b=2"],
        ),
        ([f"<link {RSS} href=b>", '<base href="/en/">'], ["https://blog.example/en/b"]),
        (
            ['<base href="/en/"><base href="/fr/">', f"<link {RSS} href=b>"],
            ["https://blog.example/en/b"],
        ),
        (['<base target="_top">', f"<link {RSS} href=b>"], ["https://blog.example/de/b"]),
        (['<base href="data:,x">', f"<link {RSS} href=/b>"], ["https://blog.example/b"]),
        (
            [
                f"<link {RSS} href=http://blog.example/b>",
                f"<link {RSS} href=http://a.example:8080/>",
            ],
            ["https://blog.example/b", "http://a.example:8080/"],
        ),
        ([f"<link {RSS} href={PAGE}#feed>", f"<link {RSS} href>", f"<link {RSS}>"], []),
        ([f"<link {RSS} href=/b>"] * 3, ["https://blog.example/b"]),
        (["</head><body><div>", f"<link {RSS} href=/b>"], ["https://blog.example/b"]),
        (["<noscript><img></noscript>", f"<link {RSS} href=/b>"], ["https://blog.example/b"]),
        ([f"<!-- <link {RSS} href=/b> -->", f"<script>'<link {RSS} href=/c>'</script>"], []),
        (["<link rel=stylesheet type=application/rss+xml href=a>"], []),
        (["<link rel=alternate type=application/json href=/wp-json/1>"], []),
        (["<link rel=alternate hreflang=de href=/de>", "<a href=/feed>RSS</a>"], []),
        ([f"<link {RSS} href='javascript:alert(1)'>", f"<link {RSS} href='file:///etc'>"], []),
        ([f"<link {RSS} href='https://[/'>", f"<link {RSS} href='https://a b/'>"], []),
        ([f"<link {RSS} href='/a b'>"], ["https://blog.example/a%20b"]),
    ],
)
async def test_links_of_a_page(links: list[str], urls: list[str]) -> None:
    assert await found_in(page_with(*links)) == urls


@pytest.mark.parametrize(
    "comments",
    ['href="/comments/feed/" title="Blog"', 'href="/c" title="Blog » Comments Feed"'],
)
async def test_comments_are_no_posts(comments: str) -> None:
    of_comments = f"<link {RSS} {comments}>"
    found = await found_in(page_with(of_comments, f"<link {RSS} href=/feed/>", of_comments))
    assert found == ["https://blog.example/feed/"]
    assert len(await found_in(page_with(of_comments))) == 1


async def test_only_a_few_are_tried() -> None:
    links = [f"<link {RSS} href=/{number}>" for number in range(1000)]
    assert await found_in(page_with(*links)) == [f"https://blog.example/{n}" for n in range(MOST)]


@pytest.mark.parametrize(
    ("header", "urls"),
    [
        (f"</feed>; {RSS.replace(' ', '; ')}", ["https://blog.example/feed"]),
        (
            (
                '<style.css>; rel=preload; as=style, <f,1>;title="a, \\"b\\"; <c>";'
                ' REL="x alternate" ; Type=application/atom+xml'
            ),
            ["https://blog.example/de/f,1"],
        ),
        ('<a>;rel=alternate;type="application/rss+xml";anchor="/elsewhere"', []),
        ("<a>;rel=next;rel=alternate;type=application/rss+xml", []),
        ("<a>;rel=alternate", []),
        ("<a", []),
        (";", []),
    ],
)
async def test_link_headers(header: str, urls: list[str]) -> None:
    assert await found_in("", link=header) == urls


async def test_headers_win() -> None:
    html = page_with(f"<link {RSS} href=/html>")
    header = f"</header>; {RSS.replace(' ', '; ')}"
    assert await found_in(html, link=header) == ["https://blog.example/header"]


async def test_only_pages_are_read() -> None:
    html = page_with(f"<link {RSS} href=/b>")
    assert await found_in(html, content_type="image/png") == []
    for kind in ("", "text/html; charset=nonsense", "application/xhtml+xml", " TEXT/HTML"):
        assert await found_in(html, content_type=kind) == ["https://blog.example/b"]


async def test_encodings_of_pages() -> None:
    html = page_with(f"<link {RSS} href=/grün>")
    found = ["https://blog.example/grün"]
    assert await found_in(html.encode(), content_type="text/html; charset=utf-8") == found
    assert await found_in(html.encode("latin-1"), content_type="text/html;charset=latin1") == found
    assert await found_in(html.encode("utf-16")) == found


def test_secured() -> None:
    assert secured("http://[::1]/a?b#c") == "https://[::1]/a?b#c"
    for url in ("http://[::1]:80/", "http://a.example:8080/", "https://a.example/"):
        assert secured(url) == url


@pytest.mark.parametrize(
    "piece",
    [
        *("<link ", "<link", "<base>", "<div>", "<a ", "<a a=", "<a a='", "<!--", "<", "&", "\0"),
        *(f"<link {RSS} href=", f"<link {RSS} href=a>", "<svg><link>", "<script>", '<link rel="'),
    ],
)
@pytest.mark.timeout(10)
async def test_a_megabyte_of_anything(piece: str) -> None:
    many = piece * ((1 << 20) // len(piece))
    assert len(await found_in(many)) <= MOST
    assert len(await found_in(f"<html><head><link {many}")) <= MOST


@pytest.mark.parametrize(
    "piece", ["<", "<>;", '<>;a="', "<a>;b;", "<a>" + ";b" * 99, '"', "\\", ","]
)
@pytest.mark.timeout(10)
async def test_headers_made_to_hurt(piece: str) -> None:
    assert await found_in("", link=piece * 50_000) == []


FRAGMENTS = st.sampled_from(
    [
        *("<link ", 'rel="alternate" ', "type=application/rss+xml ", "href=", "//", "[", "]", "@"),
        *(">", "<base href=", "http://", "https://h/", "?#", "\0", "%", "<!--", "<?xml ", "&#0;"),
        *("<", ">;", "rel=alternate", ";type=application/rss+xml", ",", '"', "\\"),
    ]
)


@given(st.lists(FRAGMENTS | st.text(max_size=4)).map("".join), st.binary(max_size=20))
async def test_any_page_gives_web_addresses_or_nothing(text: str, more: bytes) -> None:
    for url in await found_in(text.encode("utf-8", "replace") + more, link=text):
        assert url.startswith(("http://", "https://"))
        assert url.isprintable()


# What becomes of it


async def test_the_feed_of_a_page_is_found_once(site: Site, feed: Feed) -> None:
    site.headers = {"ETag": '"1"'}
    account = site.account()
    assert await text(feed, account) == "One"
    account.source_memory = json.loads(json.dumps(account.source_memory))
    assert await text(feed, account) == "One"
    assert site.asked == ["/", "/feed", '/feed "1"']
    assert found_feed(account) == f"http://127.0.0.1:{site.port}/feed"


async def test_a_new_post_of_a_found_feed(site: Site, feed: Feed) -> None:
    account = site.account()
    assert await text(feed, account) == "One"
    site.there["/feed"] = feed_of("Two")
    assert await text(feed, account) == "Two"
    assert await text(feed, account) == "Two"
    assert site.asked == ["/", "/feed", "/feed", "/feed"]


async def test_a_header_announces(site: Site, feed: Feed) -> None:
    site.there["/"] = page_with()
    site.headers = {"Link": f"</other>; {RSS.replace(' ', '; ')}"}
    assert await text(feed, site.account()) == "Other"


async def test_redirects_count(site: Site, feed: Feed) -> None:
    site.there |= {"/old": "", "/de/": page_with(f"<link {RSS} href=../feed>")}
    site.status["/old"], site.headers = 301, {"Location": "/de/"}
    assert await text(feed, site.account("/old")) == "One"
    assert site.asked == ["/old", "/de/", "/feed"]


async def test_memory_of_another_page_is_not_used(site: Site, feed: Feed) -> None:
    account = site.account()
    await newest(feed, account)
    site.there["/blog"] = page_with(f"<link {RSS} href=other>")
    account.source = site.account("/blog").source
    assert await text(feed, account) == "Other"


async def test_the_next_is_tried_where_the_first_is_none(site: Site, feed: Feed) -> None:
    links = [f"<link {RSS} href=/{name}>" for name in ("gone", "page", "other", "feed")]
    site.there |= {"/": page_with(*links), "/page": page_with()}
    account = site.account()
    assert await text(feed, account) == "Other"
    assert site.asked == ["/", "/gone", "/page", "/other"]
    assert str(found_feed(account)).endswith("/other")


async def test_nothing_announced_and_nothing_guessed(site: Site, feed: Feed) -> None:
    site.there["/"] = page_with("<a href=/feed>RSS</a>")
    account = site.account()
    with pytest.raises(Rejected) as refused:
        await newest(feed, account)
    assert str(refused.value) == (
        "127.0.0.1 answers with text/html, which is no feed and announces none:"
        " give the address of its RSS, Atom or JSON feed"
    )
    assert site.asked == ["/"]
    assert account.source_memory == {}


@pytest.mark.parametrize(
    ("href", "why"),
    [
        ("/gone", "127.0.0.1:{port} answers 404 Not Found"),
        ("/page", "127.0.0.1 answers with text/html"),
        ("http://10.0.0.1:{port}/", "10.0.0.1:{port} is plain http"),
        ("https://10.0.0.1:{port}/", "10.0.0.1:{port} leads to a private address (10.0.0.1)"),
    ],
)
async def test_announced_and_of_no_use(site: Site, feed: Feed, href: str, why: str) -> None:
    link = f"<link {RSS} href={href.format(port=site.port)}>"
    site.there |= {"/": page_with(link), "/page": page_with(f"<link {RSS} href=/feed>")}
    with pytest.raises(Rejected) as refused:
        await newest(feed, site.account())
    reason = why.format(port=site.port)
    assert str(refused.value) == (
        f"127.0.0.1 announces a feed that cannot be used ({reason}):"
        " give the address of its RSS, Atom or JSON feed"
    )
    assert "/feed" not in site.asked, "a page that a page announces is not searched"


@pytest.mark.parametrize(("status", "kind"), [(500, Transient), (429, Deferred)])
async def test_a_feed_that_is_down_is_not_replaced(
    site: Site, feed: Feed, status: int, kind: type[Exception]
) -> None:
    site.there["/"] = page_with(f"<link {RSS} href=/feed>", f"<link {RSS} href=/other>")
    site.status["/feed"] = status
    account = site.account()
    with pytest.raises(kind):
        await newest(feed, account)
    assert account.source_memory == {}
    assert "/other" not in site.asked


@pytest.mark.parametrize("end", [{}, {"/feed": page_with()}])
async def test_a_feed_that_has_moved_is_found_again(
    site: Site, feed: Feed, end: dict[str, str]
) -> None:
    account = site.account()
    await newest(feed, account)
    del site.there["/feed"]
    site.there |= {"/": page_with(f"<link {RSS} href=/other>")} | end
    site.asked.clear()
    assert await text(feed, account) == "Other"
    assert await text(feed, account) == "Other"
    assert site.asked == ["/feed", "/", "/other", "/other"]


async def test_a_page_that_became_a_feed(site: Site, feed: Feed) -> None:
    account = site.account()
    await newest(feed, account)
    del site.there["/feed"]
    site.there["/"] = feed_of("Home")
    assert await text(feed, account) == "Home"
    assert found_feed(account) is None


@pytest.mark.parametrize(
    ("body", "home", "kind"),
    [
        # A feed that the page still announces will be back: no other takes its place.
        (None, page_with(f"<link {RSS} href=/feed>", f"<link {RSS} href=/other>"), Gone),
        (
            page_with(),
            page_with(f"<link {RSS} href=/feed>", f"<link {RSS} href=/other>"),
            Transient,
        ),
        (None, page_with(), Gone),
        (page_with(), page_with(), Transient),
        (page_with(), None, Gone),
        (None, page_with(f"<link {RSS} href=/gone>"), Rejected),
    ],
)
async def test_a_found_feed_that_fails(
    site: Site, feed: Feed, body: str | None, home: str | None, kind: type[Exception]
) -> None:
    account = site.account()
    await newest(feed, account)
    memory, good = account.source_memory, dict(site.there)
    site.asked.clear()
    for path, there in (("/feed", body), ("/", home)):
        site.there.pop(path)
        site.there |= {path: there} if there else {}
    with pytest.raises(kind) as raised:
        await newest(feed, account)
    assert type(raised.value) is kind
    assert site.asked[:2] == ["/feed", "/"]
    assert len(site.asked) <= 2 + MOST
    assert account.source_memory == memory
    site.there = good
    assert await text(feed, account) == "One"


async def test_a_feed_that_is_down_is_not_searched_for(site: Site, feed: Feed) -> None:
    account = site.account()
    await newest(feed, account)
    site.status["/feed"] = 502
    site.asked.clear()
    with pytest.raises(Transient):
        await newest(feed, account)
    assert site.asked == ["/feed"]


async def test_a_page_in_place_of_a_feed_announces_nothing(site: Site, feed: Feed) -> None:
    account = site.account("/feed")
    await newest(feed, account)
    site.there["/feed"] = page_with(f"<link {RSS} href=/other>")
    with pytest.raises(Transient, match="text/html where the feed was"):
        await newest(feed, account)
    assert site.asked == ["/feed", "/feed"]


def test_only_feeds_are_found_feeds() -> None:
    memory: dict[str, Any] = {"found": "https://a.example/"}
    other = Account(name="a", source="mastodon:a@b.example", jid="a@b", source_memory=memory)
    assert found_feed(other) is None
