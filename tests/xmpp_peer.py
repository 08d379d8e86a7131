"""XMPP servers that act by a script, and speak just enough of the protocol to misbehave."""

import asyncio
import base64
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

DOMAIN = "chat.example"
JID = f"alice@{DOMAIN}"
PASSWORD = "correct horse"

STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
SM = "xmlns='urn:xmpp:sm:3'"


def mechanisms(*names: str) -> str:
    inner = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    return f"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{inner}</mechanisms>"


def failure(condition: str, text: str = "") -> str:
    words = f"<text>{text}</text>" if text else ""
    return f"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/>{words}</failure>"


def stream_error(condition: str, text: str = "", inner: str = "") -> str:
    ns = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'"
    words = f"<text {ns}>{text}</text>" if text else ""
    head = f"<{condition} {ns}>{inner}</{condition}>"
    return f"<stream:error>{head}{words}</stream:error></stream:stream>"


class Peer:
    """The server's side of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext
    ) -> None:
        self.received = b""
        self.writer = writer
        self._reader = reader
        self._tls = tls
        self._read_to = 0

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def expect(self, pattern: str) -> "re.Match[bytes]":
        """Read until the pattern comes; what was matched before does not count again."""
        while not (match := re.compile(pattern.encode()).search(self.received, self._read_to)):
            chunk = await self._reader.read(65536)
            if not chunk:
                raise EOFError(f"{pattern} did not come, but {self.received!r}")
            self.received += chunk
        self._read_to = match.end()
        return match

    async def end(self, *, polite: bool = True) -> None:
        """Read until the client closes; if polite, close the stream where the client does."""
        with suppress(ConnectionError, ssl.SSLError):
            while chunk := await self._reader.read(65536):
                self.received += chunk
                if polite and self.received.endswith(b"</stream:stream>"):
                    self.send("</stream:stream>")

    async def header(self, features: str) -> None:
        """Answer a stream header with ours and these features."""
        await self.expect(r"<stream:stream[^>]*>")
        self.send(
            f"<?xml version='1.0'?><stream:stream from='{DOMAIN}' id='1' version='1.0'"
            " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
            f"<stream:features>{features}</stream:features>"
        )

    async def starttls(self) -> None:
        await self.header(STARTTLS)
        await self.expect("<starttls[^>]*/>")
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await self.writer.start_tls(self._tls)

    async def encrypted(self, features: str) -> None:
        """Come as far as TLS, and then offer these features."""
        await self.starttls()
        await self.header(features)

    async def logged_in(self, features: str = BIND, *, direct_tls: bool = False) -> None:
        """Come as far as a login by PLAIN, and then offer these features."""
        plain = mechanisms("PLAIN")
        await (self.header(plain) if direct_tls else self.encrypted(plain))
        await self.expect("<auth[^>]*>[^<]*</auth>")
        self.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        await self.header(features)

    async def in_session(
        self, jid: str = f"{JID}/x", features: str = BIND, *, direct_tls: bool = False
    ) -> None:
        """Come as far as a session."""
        await self.logged_in(features, direct_tls=direct_tls)
        request = await self.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
        self.send(
            f"<iq type='result' id='{request[1].decode()}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"
        )

    def reset(self) -> None:
        """Break the connection off, with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def auths(self) -> list[str]:
        """Return the mechanisms that the client tried."""
        return re.findall(r"<auth [^>]*mechanism=\"([^\"]+)\"", self.received.decode())

    def sent_password(self) -> bool:
        token = base64.b64encode(f"\0alice\0{PASSWORD}".encode())
        return token in self.received or PASSWORD.encode() in self.received


Script = Callable[[Peer], Awaitable[Any]]


class XMPPServer:
    """Acts by a script towards each client."""

    def __init__(self, script: Script, tls: ssl.SSLContext) -> None:
        self._script = script
        self._tls = tls
        self.peers: list[Peer] = []
        self.address = ("127.0.0.1", 0)
        self._over: list[asyncio.Future[None]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, self._tls)
        self.peers.append(peer)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over.append(over)
        try:
            await self._script(peer)
            await peer.end()
        except (ConnectionError, EOFError, ssl.SSLError):
            pass  # the client has left: what it sent meanwhile is what tests look at
        except asyncio.CancelledError:
            over.set_exception(AssertionError(f"the client stays: {peer.received!r}"))
            over.exception()
            raise
        finally:
            writer.close()
            if not over.done():
                over.set_result(None)

    async def over(self) -> None:
        """Wait until all clients have closed their connections."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self._over)

    @property
    def peer(self) -> Peer:
        """The one client that came."""
        assert len(self.peers) == 1
        return self.peers[0]
