"""SCRAM with a server: to which channel it is bound, and what proof lets us in."""

import asyncio
import base64
import hashlib
import hmac
import ssl

import pytest
import trustme

from lastword.errors import Deferred, Transient
from tests.fixtures_xmpp import LogIn, StartServer, refusal, serving
from tests.xmpp_peer import BIND, DOMAIN, JID, PASSWORD, STARTTLS, Peer, mechanisms, stream_error

SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
WITH_PLUS = mechanisms("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS")


def bindings(*kinds: str) -> str:
    inner = "".join(f"<channel-binding type='{kind}'/>" for kind in kinds)
    return f"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>{inner}</sasl-channel-binding>"


def said(text: bytes) -> str:
    return base64.b64encode(text).decode()


class Scram:
    """The server's side of SCRAM-SHA-1, by RFC 5802."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._messages: list[bytes] = []

    async def first(self) -> bytes:
        """Read the client's first message and return the server's."""
        auth = await self._peer.expect("<auth[^>]*>([^<]*)</auth>")
        bare = base64.b64decode(auth[1]).partition(b",,")[2]
        nonce = bare.rpartition(b"r=")[2] + b"x"
        self._messages = [bare, b"r=" + nonce + b",s=" + said(b"salt").encode() + b",i=4096"]
        return self._messages[1]

    async def last(self) -> bytes:
        """Read the client's proof and return the server's."""
        response = await self._peer.expect("<response[^>]*>([^<]+)</response>")
        without_proof = base64.b64decode(response[1]).rpartition(b",p=")[0]
        salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), b"salt", 4096)
        key = hmac.digest(salted, b"Server Key", "sha1")
        signed = b",".join([*self._messages, without_proof])
        return b"v=" + said(hmac.digest(key, signed, "sha1")).encode()

    def challenge(self, text: bytes) -> None:
        self._peer.send(f"<challenge {SASL}>{said(text)}</challenge>")


async def _bind(peer: Peer) -> None:
    await peer.header(BIND)
    request = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
    peer.send(
        f"<iq type='result' id='{request[1].decode()}'>"
        f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{JID}/x</jid></bind></iq>"
    )


@pytest.mark.parametrize(
    ("told", "taken", "flag"),
    [
        ("", "SCRAM-SHA-1-PLUS", b"p=tls-unique,"),
        (bindings("tls-server-end-point", "tls-unique"), "SCRAM-SHA-1-PLUS", b"p=tls-unique,"),
        (bindings("tls-server-end-point", "tls-exporter"), "SCRAM-SHA-1", b"n,"),
        (bindings(), "SCRAM-SHA-1", b"n,"),
    ],
)
async def test_bound_to_what_the_server_can_verify(
    xmpp_server: StartServer,
    log_in: LogIn,
    authority: trustme.CA,
    told: str,
    taken: str,
    flag: bytes,
) -> None:
    old = serving(authority.issue_cert(DOMAIN))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    first: list[bytes] = []

    async def script(peer: Peer) -> None:
        # Before TLS anybody may say so: it counts for nothing.
        await peer.header(STARTTLS + bindings())
        await peer.expect("<starttls[^>]*/>")
        peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await peer.writer.start_tls(old)
        await peer.header(WITH_PLUS + told)
        auth = await peer.expect("<auth[^>]*>([^<]*)</auth>")
        first.append(base64.b64decode(auth[1]))
        peer.send(stream_error("system-shutdown"))

    server = await xmpp_server(script)
    await refusal(log_in, server)
    assert server.peer.auths() == [taken]
    assert first[0].startswith(flag)


@pytest.mark.parametrize("success", [f"<success {SASL}/>", f"<success {SASL}>=</success>"])
async def test_proof_in_a_challenge_of_its_own(
    xmpp_server: StartServer, log_in: LogIn, success: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        scram = Scram(peer)
        scram.challenge(await scram.first())
        scram.challenge(await scram.last())
        await peer.expect("<response[^>]*(/>|></response>)")
        peer.send(success)
        await _bind(peer)

    server = await xmpp_server(script)
    async with log_in(server.address) as client:
        assert client.boundjid.full == f"{JID}/x"
    await server.over()


async def test_proof_with_the_success(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        scram = Scram(peer)
        scram.challenge(await scram.first())
        peer.send(f"<success {SASL}>{said(await scram.last())}</success>")
        await _bind(peer)

    server = await xmpp_server(script)
    async with log_in(server.address):
        pass
    await server.over()


async def test_success_before_any_proof(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        scram = Scram(peer)
        peer.send(f"<success {SASL}>{said(await scram.first())}</success>")
        await _bind(peer)

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert "without a proof that it knows the password" in str(error)


async def test_success_without_a_word(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        scram = Scram(peer)
        scram.challenge(await scram.first())
        await scram.last()
        peer.send(f"<success {SASL}/>")
        await _bind(peer)

    async with asyncio.timeout(5):
        error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
