"""Feeds with mistakes in them: what can be read is read."""

import pytest

from lastword.sources.feed import read_feed

URL = "https://feeds.example/a/feed.xml"


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("gb2312", "A 镕 Z".encode("gb18030")),
        ("euc-jp", b"A \xff Z"),
        ("windows-1252", b"A \x81 Z"),
    ],
)
def test_one_odd_character_costs_no_more_than_itself(encoding: str, title: bytes) -> None:
    start = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel><title>'.encode()
    items = b"<item><title>" + title + b"</title><guid>1</guid></item><item><title>B</title></item>"
    first, second = read_feed(start + title + b"</title>" + items + b"</channel></rss>", URL)
    assert (first.id, second.text) == ("1", "B")
    assert first.text in ("A 镕 Z", "A \ufffd Z")


ITEM = "<item><title>Whole</title></item>"


@pytest.mark.parametrize("end", ["", "<item><title>Ha", "<item><title>Half</title>", "<item", "</"])
def test_what_is_whole_before_it_breaks_off(end: str) -> None:
    feed = f"<rss><channel>{ITEM}{end}"
    assert [post.text for post in read_feed(feed.encode(), URL)] == ["Whole"]


@pytest.mark.parametrize(
    "feed",
    [
        *("<rss><channel><title>x", "<rss><channel><item><title>Ha", "<rss><channel><item"),
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>Half</title>',
    ],
)
def test_nothing_is_whole_before_it_breaks_off(feed: str) -> None:
    with pytest.raises(ValueError, match="breaks off"):
        read_feed(feed.encode(), URL)


def test_another_mistake_costs_no_item() -> None:
    feed = f"<rss><channel><title>a < b</title>{ITEM}</channel></rss>"
    assert [post.text for post in read_feed(feed.encode(), URL)] == ["Whole"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a&#xD83D;&#xDE00;b", "a\U0001f600b"),
        ("a&#55357;&#56832;b & c", "a\U0001f600b & c"),
        ("a&#xd83d;b&#xDE00;&#55357;c", "abc"),
        ("a&#55200;&#57344;&#xD83D;b", "a\ud7a0\ue000b"),
    ],
)
def test_halves_of_characters(written: str, text: str) -> None:
    feed = f"<rss><channel><item><title>{written}</title></item></channel></rss>"
    assert [post.text for post in read_feed(feed.encode(), URL)] == [text]


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("<link/>", "https://blog.example/1"),
        ("<link> </link>", "https://blog.example/1"),
        ("<link>2</link>", "https://feeds.example/a/2"),
    ],
)
def test_a_permalink_serves_where_the_link_is_empty(link: str, url: str) -> None:
    item = f"<item><title>x</title>{link}<guid>https://blog.example/1</guid></item>"
    feed = f"<rss><channel>{item}</channel></rss>"
    assert [post.url for post in read_feed(feed.encode(), URL)] == [url]
