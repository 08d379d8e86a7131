"""The local server that answers for all sources: each account's own hostile world."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from bench.payloads_made import Payload

TOKEN = "a-token"  # noqa: S105 (nobody's)
_USER = 1_000_000
_NUMBER = re.compile(
    r"/(\d+)/feed|(?:acct|usernames|handle)=u(\d+)|/accounts/(\d+)/|ids=1(\d{6})\b"
)
_LATER = re.compile(r"/users/1(\d{6})/")
_DID = re.compile(r"did(?::|%3A)plc(?::|%3A)([a-z2-7]{24})")


class Hostile:
    """Answers whoever asks for an account's posts with its payload.

    Attributes:
        host: where it listens.
    """

    def __init__(self, payloads: Sequence[Payload]) -> None:
        self._payloads = {payload.number: payload for payload in payloads}
        self._dids = {payload.did: payload.number for payload in payloads}
        self.host = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode("latin-1")
                writer.write(self._answer(target))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it has left, as it may
        finally:
            writer.close()

    def address(self, payload: Payload) -> str:
        """Return the source address of an account."""
        return {
            "feed": f"feed:http://{self.host}/{payload.number}/feed.xml",
            "mastodon": f"mastodon:http://{self.host}/@u{payload.number}",
            "bluesky": f"bluesky:u{payload.number}.example",
            "x": f"x:u{payload.number}",
        }[payload.kind]

    def _answer(self, target: str) -> bytes:
        payload = self._payloads.get(self._number(target))
        if payload is None:
            return _response(b"{}", (), "404 Not Found")
        good = self._identity(payload, target)
        if good is not None:
            return _response(payload.identity or json.dumps(good).encode(), payload.headers)
        body = payload.posts
        if payload.kind == "x":
            body = body.replace(b"USER", str(_USER + payload.number).encode())
            body = body.replace(b"NAME", f"u{payload.number}".encode())
        if payload.kind == "bluesky":
            body = body.replace(b"at://DID/", f"at://{payload.did}/".encode())
        return _response(body, payload.headers)

    def _number(self, target: str) -> int:
        if found := _DID.search(target):
            return self._dids.get(f"did:plc:{found[1]}", -1)
        found = _NUMBER.search(target) or _LATER.search(target)
        return int(next(filter(None, found.groups()), -1)) if found else -1

    def _identity(self, payload: Payload, target: str) -> Mapping[str, object] | None:
        """Return a good answer to a question about identity; None: it is asked for posts."""
        if "accounts/lookup" in target:
            name = f"u{payload.number}"
            return {"id": str(payload.number), "username": name, "acct": name}
        if "resolveHandle" in target:
            return {"did": payload.did}
        if target.startswith("/did:plc:"):
            service = {
                "id": "#atproto_pds",
                "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": f"http://{self.host}",
            }
            claimed = [f"at://u{payload.number}.example"]
            return {"id": payload.did, "alsoKnownAs": claimed, "service": [service]}
        return None


def _response(body: bytes, headers: Sequence[tuple[str, bytes]], status: str = "200 OK") -> bytes:
    # What no server's software lets through ends the answer for every client alike.
    safe = [(name, value) for name, value in headers if not re.search(rb"[\r\n\0]", value)]
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body)]
    lines += [name.encode() + b": " + value for name, value in safe]
    return b"\r\n".join((*lines, b"", b"")) + body


@asynccontextmanager
async def serving_hostile(payloads: Sequence[Payload]) -> AsyncIterator[Hostile]:
    """Serve payloads on loopback for the length of the block."""
    server = Hostile(payloads)
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        server.host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
