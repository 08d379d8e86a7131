"""The table of servers made to hurt: what each does, and what must come of asking it."""

import asyncio
import gzip
from dataclasses import dataclass
from itertools import repeat

from tests import hostile_server as it
from tests.fixtures_http import Answer, Server, head, respond, silence

HURRIED, PATIENT = 0.5, 20
"""Seconds for one fetch: where they run out, and where they must not."""
SECRET = "hush"
"""Stands in every address, and must stand in no message."""
PRIVATE = Server(silence)
"""A server at whose door nobody may knock."""

_FEED = f"feed:http://HOST/feed.xml?token={SECRET}"
_FEED_TLS = f"feed:https://HOST/feed.xml?token={SECRET}"
_MASTODON = "mastodon:http://HOST/@alice"
_SMALL, _LARGE = 900_000, 2_000_000
_XML = "Content-Type: application/rss+xml"

_TOO_LARGE = "answers with more than 1 MiB"
_NO_FEED = "give the address of its RSS, Atom or JSON feed"
_TOO_LATE = "did not answer within 0.5 s"
_GARBLED = "broke off or garbled its answer"
_NO_MASTODON = "does not answer as a Mastodon server"
_PRIVATE = "leads to a private address ("


@dataclass(frozen=True, slots=True)
class Case:
    """A server, and what must come of asking it.

    Attributes:
        answer: what it does.
        kind: the error's class, or `Post` where one is found all the same, or `nothing`; with
            `or` between where it depends on the machine.
        words: in the message.
        source: who asks, with `HOST` for the server.
        deadline: seconds for one fetch.
        tls: the name in the server's certificate; plain http without.
    """

    answer: Answer
    kind: str
    words: str = ""
    source: str = _FEED
    deadline: float = PATIENT
    tls: str | None = None


def to_private(place: str) -> Answer:
    """Redirect to the server at whose door nobody may knock, by one of its names."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        location = f"Location: {place}:{PRIVATE.port}/{SECRET}"
        writer.write(respond(b"", location, status="302 Found"))

    return answer


TOO_MUCH = {
    "10 GiB in 10 MiB of gzip": Case(it.sends(it.ten_gibibytes_in_gzip()), "Rejected", _TOO_LARGE),
    "a body without end": Case(it.sends(it.chunks(bytes(0x4000))), "Rejected", _TOO_LARGE),
    "a body without end or length": Case(
        it.sends(it.first(it.OK + b"\r\n", repeat(bytes(0x4000)))), "Rejected", _TOO_LARGE
    ),
    "a body in crumbs": Case(it.sends(it.chunks(b"xy", 8192)), "Rejected", "answers in crumbs"),
    "headers without end": Case(
        it.sends(it.first(it.OK, repeat(b"X: y\r\n" * 1000))), "Transient", _GARBLED
    ),
    "one header without end": Case(
        it.sends(it.first(it.OK + b"X: ", repeat(b"y" * 5000))), "Transient", _GARBLED
    ),
    "the size of a chunk without end": Case(
        it.sends(it.first(it.OK + b"Transfer-Encoding: chunked\r\n\r\n", repeat(b"0" * 5000))),
        "Transient",
        _GARBLED,
    ),
    "statuses without end": Case(
        it.mastodon(lambda: it.OK + b"Content-Length: 99999999\r\n\r\n" + b"[" * (2 << 20)),
        "Rejected",
        _TOO_LARGE,
        _MASTODON,
    ),
}
TOO_SLOW = {
    "a byte each 50 ms": Case(
        it.sends(it.first(it.OK + b"\r\n", repeat(b"x")), pause=0.05),
        "Transient",
        _TOO_LATE,
        deadline=HURRIED,
    ),
    "a header each 50 ms": Case(
        it.sends(it.first(it.OK, repeat(b"X: y\r\n")), pause=0.05),
        "Transient",
        _TOO_LATE,
        deadline=HURRIED,
    ),
    "interim answers without end": Case(
        it.sends(repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)),
        "Transient",
        _TOO_LATE,
        deadline=HURRIED,
    ),
    "no answer": Case(silence, "Transient", _TOO_LATE, deadline=HURRIED),
    "no answer to TLS": Case(silence, "Transient", _TOO_LATE, _FEED_TLS, deadline=HURRIED),
    "no answer for a Mastodon account": Case(
        silence, "Transient", _TOO_LATE, _MASTODON, deadline=HURRIED
    ),
}
ELSEWHERE = {
    "redirects in a circle": Case(it.redirects_to("/feed.xml"), "Rejected", "on and on"),
    "redirects in a circle for Mastodon": Case(
        it.redirects_to("/"), "Rejected", "on and on", _MASTODON
    ),
    "redirects to plain http": Case(to_private("http://127.0.0.1"), "Rejected", "is plain http"),
    "redirects to a private address for Mastodon": Case(
        to_private("https://127.0.0.1"), "Rejected", _PRIVATE, _MASTODON
    ),
    "a certificate for another name": Case(
        it.answers(b""),
        "Transient",
        "has a certificate that cannot be trusted",
        _FEED_TLS,
        tls="other.example",
    ),
} | {
    f"redirects to {host}": Case(to_private(f"https://{host}"), "Rejected", _PRIVATE)
    for host in (
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "localhost",
        "LOCALHOST",
        "0.0.0.0",  # noqa: S104
        "0",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fd00::1]",
    )
}
ELSEWHERE["redirects to localhost."] = Case(
    to_private("https://localhost."),
    "Rejected or Transient",  # as the resolver likes: some do not know it
)
NOT_WHAT_WAS_ASKED_FOR = {
    "an entity bomb": Case(it.answers(it.entity_bomb(), _XML), "Rejected", _NO_FEED),
    "a web page": Case(it.answers(b"<!doctype html><p>Hello", _XML), "Rejected", _NO_FEED),
    "a picture": Case(
        it.answers(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 999, "Content-Type: image/png"),
        "Rejected",
        "answers with image/png, ",
    ),
    "a type that is no type": Case(
        it.answers(b"", f"Content-Type: {SECRET} \xe9\x1b[31m"), "Rejected", "something else"
    ),
    "2 MB of nested HTML": Case(
        it.answers(it.nested_html(_LARGE).encode(), _XML), "Rejected", _TOO_LARGE
    ),
    "2 MB of nested HTML in gzip": Case(
        it.answers(gzip.compress(it.nested_html(_LARGE).encode()), "Content-Encoding: gzip"),
        "Rejected",
        _TOO_LARGE,
    ),
    "nested HTML for a feed": Case(
        it.answers(it.nested_html(_SMALL).encode(), _XML), "Rejected", _NO_FEED
    ),
    "nested HTML in RSS": Case(it.answers(it.rss(it.nested_html(_SMALL))), "Post"),
    "nested HTML in a JSON Feed": Case(it.answers(it.json_feed(it.nested_html(_SMALL))), "Post"),
    "nested XML": Case(
        it.answers(b"<rss><channel>" + b"<a>" * (_SMALL // 3)), "Rejected", _NO_FEED
    ),
    "nested JSON": Case(it.answers(b'{"items":' + b"[" * _SMALL), "Rejected", _NO_FEED),
    "nested JSON for Mastodon": Case(
        it.answers(b"[" * _SMALL), "Rejected", _NO_MASTODON, _MASTODON
    ),
    "nested JSON for statuses": Case(
        it.mastodon(lambda: respond(b"[" * _SMALL)), "Transient", "", _MASTODON
    ),
    "2 MB of nested HTML in a status": Case(
        it.mastodon(lambda: it.statuses(it.nested_html(_LARGE))), "Rejected", _TOO_LARGE, _MASTODON
    ),
    "nested HTML in a status": Case(
        it.mastodon(lambda: it.statuses(it.nested_html(_SMALL))), "Post", "", _MASTODON
    ),
    "junk instead of HTTP": Case(
        it.sends(repeat(bytes(range(255, -1, -1)), 4000)), "Transient", _GARBLED
    ),
    "junk in JSON": Case(it.answers(bytes(range(256)) * 2000), "Rejected", _NO_MASTODON, _MASTODON),
    "gzip that is none": Case(
        it.answers(b"junk" * 999, "Content-Encoding: gzip"), "Transient", "damaged gzip data"
    ),
}
CASES = TOO_MUCH | TOO_SLOW | ELSEWHERE | NOT_WHAT_WAS_ASKED_FOR
FINE = {
    "a feed": Case(it.answers(it.rss("Hello" * 10_000)), "Post"),
    "a JSON Feed": Case(it.answers(it.json_feed("<p>Hello" * 10_000)), "Post"),
    "statuses": Case(it.mastodon(lambda: it.statuses("<p>Hello")), "Post", "", _MASTODON),
}
