"""Bluesky's handles and DIDs, as people type and paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.sources.bluesky import Bluesky

PLC = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
# https://atproto.com/specs/handle and https://atproto.com/specs/did
HANDLES = [
    *("jay.bsky.social", "8.cn", "name.t--t", "a.co", "xn--notarealidn.com", "example.t"),
    *("xn--fiqa61au8b7zsevnm8ak20mc4a87e.xn--fiqs8s", "xn--ls8h.test"),
]
NO_HANDLES = [
    *("jo@hn.test", "💩.test", "john..test", "xn--bcher-.tld", "john.0", "cn.8", "org"),
    *("www.masełkowski.pl.com", "name.org.", ".name.org", "-a.example", "a_b.example", "a b.test"),
    *(
        "127.0.0.1",
        "[::1]",
        "a." + "b" * 64 + ".example",
        "a." * 126 + "example",
        "ali\u212a.example",
    ),
]
NO_DIDS = [
    *("did:method:val:two", "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N"),
    *("did:plc:", "did:plc:short", f"{PLC}a", f"{PLC}/x", f"{PLC}?x", f"{PLC}#x"),
    *("did:plc:ewvi7nxzyoun6zhxrhs64oi1", "did:web:", "did:web:org", "did:web:a.example:b"),
    *("did:web:a.example%3A443", "did:web:a.example/b", "did:web:127.0.0.1", "did:web:b@a.example"),
]


@pytest.mark.parametrize(
    ("handle", "normal"),
    [
        *((handle, handle) for handle in HANDLES),
        ("@alice.example", "alice.example"),
        (" Alice.EXAMPLE ", "alice.example"),
        ("\u202a@alice.bsky.social\u202c", "alice.bsky.social"),
        (PLC, PLC),
        (PLC.upper(), PLC),
        ("did:web:alice.example", "did:web:alice.example"),
        ("did:web:localhost", "did:web:localhost"),
        ("did:web:localhost%3a3000", "did:web:localhost%3A3000"),
        ("https://bsky.app/profile/alice.example", "alice.example"),
        (f"at://{PLC}/app.bsky.feed.post/3k", PLC),
    ],
)
def test_check(handle: str, normal: str) -> None:
    assert Bluesky.check(handle) == normal
    assert Bluesky.check(normal) == normal


@pytest.mark.parametrize(
    "handle",
    [
        *("", "@", "alice", "@alice", "@alice@social.example", "https://alice.example"),
        *("https://bsky.app/", "handle.invalid", "at://", "x" * 300 + ".example"),
        *NO_HANDLES,
        *NO_DIDS,
    ],
)
def test_check_refuses(handle: str) -> None:
    with pytest.raises(ValueError, match=r"bluesky:alice\.example"):
        Bluesky.check(handle)


@pytest.mark.parametrize(
    ("pasted", "handle"),
    [
        ("https://bsky.app/profile/alice.example", "alice.example"),
        ("https://bsky.app/profile/Alice.Example/", "alice.example"),
        ("https://bsky.app/profile/alice.example/post/3lqkvhr2v2s2a", "alice.example"),
        ("https://bsky.app/profile/alice.example?tab=posts#x", "alice.example"),
        (f"https://bsky.app/profile/{PLC}/feed/x", PLC),
        ("https://bsky.app/profile/did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz", PLC),
        ("bsky.app/profile/alice.example", "alice.example"),
        ("http://www.bsky.app/profile/alice.example", "alice.example"),
        ("@alice.bsky.social", "alice.bsky.social"),
        ("\u2066@alice.bsky.social\u2069", "alice.bsky.social"),
        ("@alice.example", "alice.example"),
        ("alice.bsky.social", "alice.bsky.social"),
        ("https://alice.bsky.social/", "alice.bsky.social"),
        ("at://alice.example", "alice.example"),
        ("at://alice.example/app.bsky.feed.post/3lqkvhr2v2s2a", "alice.example"),
        (f"at://{PLC}", PLC),
        (PLC, PLC),
    ],
)
def test_recognise(pasted: str, handle: str) -> None:
    assert Bluesky.recognise(pasted) == handle
    assert Bluesky.check(pasted) == handle


@pytest.mark.parametrize(
    "pasted",
    [
        *("alice.example", "https://alice.example", "@alice@social.example", "@alice", "alice"),
        *("https://social.example/@alice", "alice@social.example", "https://x.com/alice", ""),
        *("https://bsky.app", "https://bsky.app/profile/", "https://bsky.app/profile/alice"),
        *("https://bsky.app.evil.example/profile/alice.example", "bsky.social", "@127.0.0.1"),
        *("https://evil.example/bsky.app/profile/alice.example", "https://bsky.app/search?q=a.b"),
        *("did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N", "@https://alice.example"),
        "https://bsky.app/profile/alice.example two",
    ],
)
def test_recognise_leaves_to_others(pasted: str) -> None:
    assert Bluesky.recognise(pasted) is None


@given(st.text() | st.from_regex(r"(did:|@|at://|https://bsky.app/profile/)[\w.:%-]*"))
def test_any_text(text: str) -> None:
    try:
        normal = Bluesky.check(text)
    except ValueError:
        return
    assert Bluesky.check(normal) == normal
    assert normal.isascii()


def test_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Bluesky.host("alice.example") == Bluesky.host(PLC) == "public.api.bsky.app"
    assert Bluesky.host("did:web:alice.example") == "alice.example"
    assert Bluesky.host("did:web:localhost%3A3000") == "localhost:3000"
    monkeypatch.setenv("LASTWORD_BLUESKY_RESOLVER", "https://resolver.example:8443/")
    assert Bluesky.host("alice.example") == "resolver.example:8443"
