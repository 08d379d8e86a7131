"""Addresses of the fediverse: what people type and paste, and what it means."""

import pytest

from lastword.sources.mastodon import Mastodon


@pytest.mark.parametrize(
    ("handle", "normal", "host"),
    [
        ("alice@social.example", "alice@social.example", "social.example"),
        ("@alice@Social.Example", "alice@social.example", "social.example"),
        (
            " a.b-c_d@social.example:8443 ",
            "a.b-c_d@social.example:8443",
            "social.example:8443",
        ),
        ("alice@bücher.example", "alice@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://social.example/@alice", "alice@social.example", "social.example"),
        ("https://social.example/@alice/", "alice@social.example", "social.example"),
        ("http://127.0.0.1:3000/@alice", "http://127.0.0.1:3000/@alice", "127.0.0.1:3000"),
    ],
)
def test_check(handle: str, normal: str, host: str) -> None:
    assert Mastodon.check(handle) == normal
    assert Mastodon.check(normal) == normal
    assert Mastodon.host(normal) == host


@pytest.mark.parametrize(
    "handle",
    [
        *("", "alice", "@alice", "alice@", "@social.example", "alice@social.example/path"),
        *("a/b@social.example", "alice@bob@social.example", "alice@social.example?x"),
        *("älice@social.example", "alice@social example", "alice@social.example:0"),
        *("https://social.example/alice", "https://x:y@social.example/@alice"),
        *("alice@social.example:99999", "alice@" + "a" * 300, "alice@[::1"),
    ],
)
def test_check_refuses(handle: str) -> None:
    with pytest.raises(ValueError, match=r"mastodon:alice@social\.example"):
        Mastodon.check(handle)


@pytest.mark.parametrize(
    "pasted",
    [
        *("@alice@social.example", "alice@social.example", "acct:alice@social.example"),
        *("https://social.example/@alice", "https://social.example/@alice/114600000000000002"),
        *("https://social.example/@alice/with_replies", "https://social.example/@alice?x=1#y"),
        *("https://social.example/users/alice", "https://social.example/users/alice/statuses/1"),
        *("https://social.example/web/@alice", "https://social.example/deck/@alice"),
        "https://other.example/@alice@social.example",
        "https://other.example/@alice@social.example/114600000000000002",
        "http://other.example/@alice@social.example",
    ],
)
def test_recognises(pasted: str) -> None:
    assert Mastodon.recognise(pasted) == "alice@social.example"


@pytest.mark.parametrize(
    "pasted",
    [
        *("", "alice", "@alice", "@alice.example", "https://blog.example/", "did:plc:abc"),
        *("https://social.example/", "https://social.example/about", "https://x.com/alice"),
        *("https://medium.com/@alice", "https://www.youtube.com/@alice", "@alice@threads.net"),
        *("https://www.tiktok.com/@alice/video/1", "https://www.threads.com/@alice"),
        *("https://substack.com/@alice", "https://alice.substack.com/@alice"),
        *("https://social.example/@alice.rss", "https://social.example/users/alice.atom"),
        *("mailto:alice@social.example", "xmpp:alice@social.example", "ftp://a.example/@alice"),
        "https://social.example/@alice" + "@" * 10_000,
    ],
)
def test_does_not_recognise(pasted: str) -> None:
    assert Mastodon.recognise(pasted) is None


def test_what_is_recognised_is_an_address() -> None:
    found = Mastodon.recognise("https://bücher.example/@alice")
    assert found is not None
    assert Mastodon.check(found) == found == "alice@xn--bcher-kva.example"
