"""Where the crowd writes: hosts on loopback that serve Atom, as small and quick as can be.

Thousands are asked within seconds, on the cores that the runs need themselves.
"""

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Self, cast

from bench.chaos.crowd import OF_HOST, Someone

HOST = "127.0.0.1"
_BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=7)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
_SHOWN = 3


class Feeds:
    """Serves the crowd's posts for the length of its block.

    Args:
        people: who writes; what they write may change meanwhile.
        hosts: how many healthy hosts there are.

    Attributes:
        people: by name.
        connections: those that are open.
        deserted: set while there are none.
    """

    def __init__(self, people: Iterable[Someone], hosts: int) -> None:
        self.people = {person.name: person for person in people}
        self.connections: set[asyncio.Transport] = set()
        self.deserted = asyncio.Event()
        self._hosts = hosts + len(OF_HOST)
        self._ports: list[int] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._hosts):
            server = await loop.create_server(lambda: _Connection(self), HOST, 0, backlog=1024)
            await self._stack.enter_async_context(server)
            self._ports.append(server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in tuple(self.connections):
            connection.abort()
        await self._stack.aclose()

    @property
    def places(self) -> list[str]:
        """Every host with its port."""
        return [f"{HOST}:{port}" for port in self._ports]

    def address(self, person: Someone) -> str:
        """Return the source address of a person."""
        return f"feed:http://{self.places[person.host]}/{person.name}"


class _Connection(asyncio.Protocol):
    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._feeds.connections.add(self._transport)
        self._feeds.deserted.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._feeds.connections.discard(self._transport)
        if not self._feeds.connections:
            self._feeds.deserted.set()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        person = self._feeds.people[head.split(" ", 2)[1].strip("/")]
        match person.poison:
            case "reset":
                connection = self._transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self._transport.abort()
            case "silent":
                pass
            case "garbage":
                self._send("200 OK", bytes(range(256)) * 8)
            case "endless":
                self._send("200 OK", b"<" + b"a" * (3 << 20))
            case "loop":
                self._send("302 Found", b"", f"Location: /{person.name}\r\n")
            case "gone":
                self._send("410 Gone", b"")
            case _:
                self._send_feed(person, head)

    def _send_feed(self, person: Someone, head: str) -> None:
        tag = f'"{person.name}-{person.posts}"'
        if tag in head:
            self._send("304 Not Modified", None, f"ETag: {tag}\r\n")
        else:
            self._send("200 OK", atom(person), f"ETag: {tag}\r\n")

    def _send(self, status: str, body: bytes | None, headers: str = "") -> None:
        if body is not None:
            headers += f"Content-Length: {len(body)}\r\n"
        self._transport.write(f"HTTP/1.1 {status}\r\n{headers}\r\n".encode() + (body or b""))


def atom(person: Someone) -> bytes:
    """Return a person's newest posts as an Atom feed (RFC 4287)."""
    entries = "".join(
        f"<entry><id>urn:{person.name}:{number}</id>"
        f"<title>{person.name} writes, for the {number}. time</title>"
        f"<updated>{(_BEGIN + timedelta(minutes=number)).isoformat()}</updated></entry>"
        for number in range(person.posts, max(0, person.posts - _SHOWN), -1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>urn:{person.name}</id><title>{person.name}</title>{entries}</feed>"
    ).encode()
