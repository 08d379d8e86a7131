"""The guarded client against servers that send too much, too slowly, or rubbish."""

import asyncio
import gzip
import tracemalloc

import pytest

from lastword.errors import Deferred, Rejected, Transient
from lastword.sources import http
from tests.fixtures_http import (
    Answer,
    Client,
    Serve,
    failing,
    head,
    once,
    refusal,
    respond,
    silence,
)


def endless(start: bytes, more: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(start)
        while True:
            writer.write(more)
            await writer.drain()

    return answer


async def test_gzip_bomb(serve: Serve, client: Client) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    assert len(bomb) < 1 << 20
    server = await serve(once(respond(bomb, "Content-Encoding: gzip")))
    tracemalloc.start()
    try:
        message = await refusal(client(server), Rejected, server.url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "more than 1 MiB" in message
    assert peak < 20 << 20


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        (b"Transfer-Encoding: chunked", b"4000\r\n" + bytes(0x4000) + b"\r\n"),
        (b"Content-Length: 99999999999", bytes(0x4000)),
        (b"Connection: close", bytes(0x4000)),
        # Empty blocks of a gzip stream unpack to nothing, for ever.
        (
            b"Content-Encoding: gzip\r\nConnection: close",
            b"\x00\x00\x00\xff\xff" * 3000,
        ),
    ],
)
async def test_endless_body(serve: Serve, client: Client, headers: bytes, more: bytes) -> None:
    start = b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n"
    if b"gzip" in headers:
        start += gzip.compress(b"")[:10]
    server = await serve(endless(start, more))
    assert "more than 1 MiB" in await refusal(client(server), Rejected, server.url)


async def test_endless_rubbish_after_gzip(serve: Serve, client: Client) -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x")
    server = await serve(endless(start, bytes(0x4000)))
    assert "more than 1 MiB" in await refusal(client(server), Rejected, server.url)


async def test_trickle_meets_the_deadline(serve: Serve, client: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    server = await serve(answer)
    message = await refusal(client(server, http_deadline=0.3), Transient, server.url)
    assert message == f"{server.host} did not answer within 0.3 s"


async def test_silent_host(serve: Serve, client: Client) -> None:
    server = await serve(silence)
    for url in (server.url, f"https://{server.host}/feed.xml"):
        message = await refusal(client(server, http_deadline=0.2), Transient, url)
        assert message == f"{server.host} did not answer within 0.2 s"


async def test_silent_host_where_fewer_are_let_in_than_may_try(
    serve: Serve, client: Client
) -> None:
    """As in a shard: it costs one deadline all the same, and nobody tries again."""
    server = await serve(silence)
    few = client(server, http_deadline=0.3, host_concurrency=2, host_rate=10_000)
    async with few:
        ends = await asyncio.gather(
            *(few.get(server.url) for _ in range(30)), return_exceptions=True
        )
    assert {type(end) for end in ends} == {Deferred}
    assert server.connections <= 4, "those let in at first, and whoever got their places"


async def test_deadline_spans_redirects(serve: Serve, client: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(0.4)
        writer.write(respond(b"", "Location: /on", "Connection: close", status="302 Found"))

    server = await serve(answer)
    message = await refusal(client(server, http_deadline=1), Transient, server.url)
    assert message == f"{server.host} did not answer within 1 s"


async def test_who_uses_up_the_deadline_and_redirects_is_to_blame(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_LEAST", 1)  # so that any redirect has taken too long
    other = await serve(once(respond()))
    location = f"Location: {other.url}"
    server = await serve(once(respond(b"", location, status="302 Found")))
    async with failing(client(server, other), Transient, server.url) as caught:
        assert str(caught.value) == f"{server.host} did not answer within 10 s"
        assert caught.value.host == server.host
    assert other.connections == 0


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (respond(b"xx", "Content-Encoding: br"), "not asked for"),
        (respond(b"xx", "Content-Encoding: gzip, gzip"), "not asked for"),
        (respond(b"not gzip", "Content-Encoding: gzip"), "damaged gzip"),
        (respond(gzip.compress(b"hello", mtime=0)[:-9], "Content-Encoding: gzip"), "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhel", "broke off"),
        (b"\x00\xff\x80 junk\r\n\r\n", "broke off or garbled"),
        (b"", "broke off or garbled"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, "broke off or garbled"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off or garbled"),
        (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", "answers 999"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "answers 302 Found"),
    ],
)
async def test_broken_answers(serve: Serve, client: Client, response: bytes, words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(response)
        await writer.drain()

    server = await serve(answer)
    assert words in await refusal(client(server), Transient, server.url)
    assert server.connections == 1  # nothing but a stale connection is tried again
