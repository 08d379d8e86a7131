"""Source addresses: what people type, and what they are told when it is none."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastword.address import SourceAddress, understand
from lastword.sources import SOURCES

WHAT_IT_IS = (
    "a source address is kind:handle,"
    " like mastodon:alice@social.example or feed:https://blog.example/feed.xml"
)
KINDS = ", ".join(SOURCES)
WHAT_A_FEED_IS = "a feed's address looks like feed:https://blog.example/feed.xml"


@pytest.mark.parametrize(
    ("text", "kind", "handle"),
    [
        ("mastodon:alice@social.example", "mastodon", "alice@social.example"),
        (" Mastodon: @alice@SOCIAL.example ", "mastodon", "alice@social.example"),
        ("mastodon:https://social.example/@alice", "mastodon", "alice@social.example"),
        ("feed:https://blog.example/feed.xml", "feed", "https://blog.example/feed.xml"),
        ("feed://blog.example/feed.xml", "feed", "https://blog.example/feed.xml"),
    ],
)
def test_parse(text: str, kind: str, handle: str) -> None:
    address = SourceAddress.parse(text)
    assert (address.kind, address.handle) == (kind, handle)
    assert str(address) == f"{kind}:{handle}"
    assert SourceAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "mastadon:alice@social.example",
            f"unknown kind 'mastadon': did you mean 'mastodon'? known kinds are {KINDS}",
        ),
        ("zzz:alice", f"unknown kind 'zzz'; known kinds are {KINDS}"),
        (
            "@alice@social.example",
            WHAT_IT_IS,
        ),
        (
            "https://blog.example/feed.xml",
            WHAT_IT_IS,
        ),
        (
            "mastodon:alice",
            "a Mastodon address is user@server, like mastodon:alice@social.example",
        ),
        (
            "feed:blog",
            f"that is not a web address that begins with https://: {WHAT_A_FEED_IS}",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SourceAddress.parse(text)


@pytest.mark.parametrize("text", ["", ":", "mastodon:", ":alice", "mastodon"])
def test_halves(text: str) -> None:
    with pytest.raises(ValueError, match="a source address is kind:handle"):
        SourceAddress.parse(text)


def test_every_kind_checks_its_handles() -> None:
    for kind in SOURCES:
        with pytest.raises(ValueError, match=f"{kind}:"):
            SourceAddress.parse(f"{kind}:?")


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from(["feed:", "feed:https://", "feed:http://h/", "mastodon:", "mastodon:a@", ""]),
    st.text() | st.text("ab.:/@?#[]%\\ \ud800é1"),
)
def test_whatever_is_typed(start: str, end: str) -> None:
    try:
        address = SourceAddress.parse(start + end)
    except UnicodeError:
        raise  # a ValueError too, but not one with our words
    except ValueError:
        return
    assert SourceAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("mastodon:alice@social.example", "mastodon:alice@social.example"),
        (" Feed://blog.example/feed.xml ", "feed:https://blog.example/feed.xml"),
        ("feed:http://127.0.0.1:8000/", "feed:http://127.0.0.1:8000/"),
        ("@alice@social.example", "mastodon:alice@social.example"),
        ("alice@social.example", "mastodon:alice@social.example"),
        (" https://social.example/@alice\n", "mastodon:alice@social.example"),
        ("social.example/@alice", "mastodon:alice@social.example"),
        ("https://social.example/@alice/114600000000000002", "mastodon:alice@social.example"),
        ("https://x.com/alice", "x:alice"),
        ("twitter.com/alice", "x:alice"),
        ("https://bsky.app/profile/alice.example", "bluesky:alice.example"),
        ("bsky.app/profile/alice.example/post/3k", "bluesky:alice.example"),
        ("@alice.bsky.social", "bluesky:alice.bsky.social"),
        ("alice.bsky.social", "bluesky:alice.bsky.social"),
        ("@alice.example", "bluesky:alice.example"),
        ("at://alice.example", "bluesky:alice.example"),
        ("blog.example", "feed:https://blog.example"),
        ("https://blog.example/feed.xml", "feed:https://blog.example/feed.xml"),
        ("http://blog.example", "feed:https://blog.example"),
        ("blog.example:8443/feed", "feed:https://blog.example:8443/feed"),
        ("https://medium.com/@alice", "feed:https://medium.com/@alice"),
        ("medium.com/@alice", "feed:https://medium.com/@alice"),
        ("https://social.example/@alice.rss", "feed:https://social.example/@alice.rss"),
        ("<https://social.example/@alice>", "mastodon:alice@social.example"),
        ("\u201chttps://x.com/alice\u201d", "x:alice"),
        ("\u200e@alice.example\u200b", "bluesky:alice.example"),
        ("https://blog.example/\ufeff", "feed:https://blog.example/"),
        ("https://social.example./@alice", "mastodon:alice@social.example"),
    ],
)
def test_understands_what_is_pasted(pasted: str, address: str) -> None:
    assert str(understand(pasted)) == address
    assert str(understand(address)) == address


@pytest.mark.parametrize(
    ("pasted", "message"),
    [
        ("alice", WHAT_IT_IS),
        ("", WHAT_IT_IS),
        ("https://", WHAT_IT_IS),
        ("https://a:b@blog.example/", WHAT_IT_IS),
        ("alice@chat.example/phone", WHAT_IT_IS),
        ("mailto:alice@social.example", f"unknown kind 'mailto'; known kinds are {KINDS}"),
        (
            "mastadon:alice@social.example",
            f"unknown kind 'mastadon': did you mean 'mastodon'? known kinds are {KINDS}",
        ),
        # A kind that is named is not guessed around.
        ("feed:@alice@social.example", f"that is not a web address.*: {WHAT_A_FEED_IS}"),
        ("x" * 3000, "that is longer than 2048 characters: a source address is kind:handle"),
    ],
)
def test_does_not_understand(pasted: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message.replace('?', '[?]')}"):
        understand(pasted)


PIECES = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "@",
            ".",
            ":",
            "/",
            "social",
            "example",
            "bsky.app/profile/",
            "x.com",
        )
    ]
)


@given(st.text() | st.lists(PIECES | st.text(max_size=2)).map("".join))
def test_whatever_is_pasted(pasted: str) -> None:
    try:
        address = understand(pasted)
    except UnicodeError:
        raise
    except ValueError:
        return
    assert SourceAddress.parse(str(address)) == address
    assert understand(str(address)) == address
