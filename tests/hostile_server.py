"""Servers made to hurt, byte by byte; what each sends begins when it has read a request."""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

from tests.fixtures_http import Answer, head, respond

OK = b"HTTP/1.1 200 OK\r\n"
_STATUS = {"id": "1", "created_at": "2026-01-01T00:00:00.000Z", "visibility": "public"}
_PROFILE = {"id": "109", "username": "alice", "acct": "alice"}


def sends(parts: Iterable[bytes], *, pause: float = 0) -> Answer:
    """Send these, however many they are, for as long as the client takes them.

    Args:
        parts: made as they are sent.
        pause: seconds after each.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)

    return answer


def answers(body: bytes, *headers: str) -> Answer:
    """Answer once, and be well-behaved."""
    return sends([respond(body, *headers)])


def first(start: bytes, then: Iterable[bytes]) -> Iterator[bytes]:
    yield start
    yield from then


def redirects_to(location: str) -> Answer:
    return sends([respond(b"", f"Location: {location}", status="302 Found")])


def ten_gibibytes_in_gzip() -> Iterator[bytes]:
    """Yield 10 MiB that unpack to 10 GiB of zeros; a MiB is packed once, and sent 10,240 times."""
    packer = zlib.compressobj(9, wbits=31)
    mebibyte = bytes(1 << 20)
    yield OK + b"Content-Type: application/rss+xml\r\nContent-Encoding: gzip\r\n\r\n"
    yield packer.compress(mebibyte) + packer.flush(zlib.Z_FULL_FLUSH)
    # A full flush lets the rest be unpacked whatever came before it: every MiB may be the same.
    again = packer.compress(mebibyte) + packer.flush(zlib.Z_FULL_FLUSH)
    yield from repeat(again, 10 * 1024 - 1)


def chunks(part: bytes, at_once: int = 1) -> Iterator[bytes]:
    """Yield a body without end, in chunks of which each holds just this."""
    chunk = b"%x\r\n%b\r\n" % (len(part), part)
    return first(OK + b"Transfer-Encoding: chunked\r\n\r\n", repeat(chunk * at_once))


def entity_bomb() -> bytes:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return (
        f'<!DOCTYPE rss [<!ENTITY l0 "lol">{laughs}]>'
        '<rss version="2.0"><channel><item><title>&l11;</title></item></channel></rss>'
    ).encode()


def nested_html(size: int) -> str:
    return "<p>Hello" + "<div><b><i>" * (size // 11)


def rss(description: str) -> bytes:
    item = f"<item><guid>1</guid><description><![CDATA[{description}]]></description></item>"
    return f'<rss version="2.0"><channel>{item}</channel></rss>'.encode()


def json_feed(content: str) -> bytes:
    return json.dumps({"items": [{"id": "1", "content_html": content}]}).encode()


def mastodon(statuses: Callable[[], bytes]) -> Answer:
    """Be a Mastodon server that knows alice; what it says of her statuses is given."""
    profile = respond(json.dumps(_PROFILE).encode(), "Content-Type: application/json")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            is_for_statuses = "/statuses?" in await head(reader)
            writer.write(statuses() if is_for_statuses else profile)
            await writer.drain()

    return answer


def statuses(content: str) -> bytes:
    account = {"account": _PROFILE, "content": content}
    return respond(json.dumps([_STATUS | account]).encode())
