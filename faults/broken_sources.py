"""Servers of posts, each broken in a way of its own, in a process of their own.

Prints where they are as JSON, `way` → `host:port`, and serves until its standard input ends.
"""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import repeat

import trustme

from tests import hostile_server as it
from tests.fixtures_http import Answer, Server, head, once, respond, silence


@dataclass(frozen=True, slots=True)
class Way:
    """A way to be broken, and what may come of it.

    Attributes:
        answer: what the server does.
        ends: as outcome and error, how its accounts may end.
        is_tls: whether it is asked by https.
    """

    answer: Answer
    ends: frozenset[str]
    is_tls: bool = False


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.transport.abort()


PASSING = frozenset({"Failed Transient", "Deferred Deferred"})
"""The first few find out that a host is down; the others are left for the next run."""
_REJECTED = frozenset({"Failed Rejected"})
_DEFERRED = frozenset({"Deferred Deferred"})

WAYS: Mapping[str, Way] = {
    "silent": Way(silence, PASSING),
    "silent in TLS": Way(silence, PASSING, is_tls=True),
    "a byte each 50 ms": Way(
        it.sends(it.first(it.OK + b"\r\n", repeat(b"x")), pause=0.05), PASSING
    ),
    "a header each 50 ms": Way(it.sends(it.first(it.OK, repeat(b"X: y\r\n")), pause=0.05), PASSING),
    "resets": Way(_reset, PASSING),
    "garbage": Way(it.sends(repeat(bytes(range(255, -1, -1)), 4000)), PASSING),
    "500": Way(once(respond(b"", status="500 Oh no")), PASSING),
    "503 for an hour": Way(
        once(respond(b"", "Retry-After: 3600", status="503 Busy")), PASSING | _DEFERRED
    ),
    "429": Way(once(respond(b"", "Retry-After: 3600", status="429 Too Many")), _DEFERRED),
    "redirects in a circle": Way(it.redirects_to("/feed.xml"), _REJECTED),
    # Too much, or too late where the machine is slow.
    "a body without end": Way(it.sends(it.chunks(bytes(0x4000))), _REJECTED | PASSING),
    "a stranger's certificate": Way(it.answers(b""), PASSING, is_tls=True),
}
OF_TLS = frozenset(name for name, way in WAYS.items() if way.is_tls)
REFUSED = "refuses connections"
"""One more way, for which nobody listens."""


async def serve() -> None:
    """Serve until standard input ends."""
    strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(strangers)
    async with AsyncExitStack() as stack:
        places = {}
        for name, way in WAYS.items():
            tls = strangers if "certificate" in name else None
            listening = await asyncio.start_server(Server(way.answer), "127.0.0.1", 0, ssl=tls)
            await stack.enter_async_context(listening)
            places[name] = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        sys.stdout.write(f"{json.dumps(places)}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        # Some answers have no end, and would be waited for.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve())
