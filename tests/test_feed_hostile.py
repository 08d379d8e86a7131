"""Feeds made to hurt, and any bytes at all: a post, nothing, or a ValueError, and soon."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastword.post import Post
from lastword.sources.feed_json import read_json
from lastword.sources.feed_xml import read_xml

URL = "https://feeds.example/a/feed.xml"


def bomb(declarations: str, use: str) -> str:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return (
        f'<!DOCTYPE rss [<!ENTITY l0 "lol">{lol}{declarations}]><rss version="2.0"><channel>'
        f"<item><title>{use}</title></item></channel></rss>"
    )


BOMBS = [
    bomb("", "&l11;"),
    bomb('<!ATTLIST title x CDATA "&l11;">', "x"),
    bomb('<!ENTITY f SYSTEM "file:///etc/passwd">', "&f;"),
    '<!DOCTYPE rss [ <!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x; ]><rss/>',
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", BOMBS)
def test_entity_bombs(text: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    with pytest.raises(ValueError, match="declares entities"):
        read_xml((declaration + text).encode(encoding), URL)


@pytest.mark.parametrize(
    "body",
    [
        b"<rss version='2.0'><channel><item><title>" + b"&" * 1_000_000,
        b"<rss version='2.0'><channel><item><title>" + b"&x;" * 300_000,
        b"<rss version='2.0'><channel><item>" + b"<a>" * 300_000,
        b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='xhtml'>"
        + b"<a>" * 300_000,
        b"<rss version='2.0'><channel>" + b"<item/>" * 140_000,
        b"<rss version='2.0'><channel>" + b"<item><guid>tomorrow</guid></item>" * 30_000,
        b"<rss " + b" ".join(b"a%d=''" % number for number in range(90_000)) + b">",
        b"<" * 1_000_000,
        b"{" * 1_000_000,
        b"[" * 1_000_000,
        b'{"items":' + b"[" * 1_000_000,
        b'{"items": [{"id": ' + b"9" * 1_000_000 + b"}]}",
    ],
    ids=lambda body: body[-12:].decode(),
)
@pytest.mark.timeout(10)
def test_bodies_made_to_hurt(body: bytes) -> None:
    for read in (read_xml, read_json):
        try:
            assert_sound(*read(body, URL))
        except ValueError:
            continue


FRAGMENTS = st.sampled_from(
    [
        *("<rss>", "<channel>", "<item>", "</item>", "<title>", "</title>", "<guid>1</guid>"),
        *('<feed xmlns="http://www.w3.org/2005/Atom">', "<entry>", "</entry>", '<link href="?">'),
        *("<pubDate>Mon, 2 Jun 2025", "<![CDATA[", "]]>", "&amp;", "&#0;", "&x", "<?xml", "<!--"),
        *("<content type='xhtml'>", "<div>", "{", '{"items":[', '{"id":"\\ud800"}', "]}", "\x00"),
        *(
            "<description>",
            "&lt;p&gt;",
            "<updated>2025-06-02T00:00:00Z</updated>",
            "text",
            "\ufeff",
        ),
    ]
)


@settings(deadline=None)  # the machine may be busy
@given(st.binary() | st.lists(FRAGMENTS | st.text(max_size=5)).map(lambda x: "".join(x).encode()))
def test_any_bytes_make_a_post_or_nothing_or_a_value_error(body: bytes) -> None:
    for read in (read_xml, read_json):
        try:
            posts = list(read(body, URL))
        except ValueError:
            continue
        assert_sound(*posts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = ["id", "title", "url", "content_text", "content_html", "summary", "date_published"]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON))
def test_any_json_items(items: object) -> None:
    assert_sound(*read_json(json.dumps({"items": items}).encode(), URL))


def assert_sound(*posts: Post) -> None:
    for post in posts:
        assert post.id
        assert post.text.strip()
        kept = replace(post, reply=False, repost=False)
        assert Post.from_memory(json.loads(json.dumps(post.to_memory()))) == kept
        for text in (post.id, post.text, post.url or "", *post.tags):
            assert "\0" not in text
            assert text.encode() is not None
        assert post.time is None or post.time.tzinfo is not None
