"""Each way in which no session comes about, on real sockets: one error, in time, nothing left."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import trustme
from pydantic import SecretStr

from lastword.errors import Deferred, LastWordError, Transient
from lastword.publishers.dns import Directory
from lastword.publishers.session import xmpp_session
from tests.fixtures_xmpp import LogIn, StartServer, nothing_left, refusal, serving
from tests.xmpp_peer import (
    DOMAIN,
    JID,
    PASSWORD,
    STARTTLS,
    Peer,
    mechanisms,
    stream_error,
)

SCRAM_AND_PLAIN = mechanisms("SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-256", "DIGEST-MD5")


async def test_refused_connection(log_in: LogIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    error = await refusal(log_in, None, address=address)
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} refuses connections"


async def test_silent_server(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def silent(peer: Peer) -> None:
        await peer.expect("<stream:stream")

    error = await refusal(log_in, await xmpp_server(silent), deadline=0.3)
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} did not complete a login within 0.3 s"


async def test_server_silent_in_the_tls_handshake(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def silent(peer: Peer) -> None:
        await peer.header(STARTTLS)
        await peer.expect("<starttls")
        peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")

    assert type(await refusal(log_in, await xmpp_server(silent), deadline=0.5)) is Transient


@pytest.fixture(params=["another authority", "another name", "expired"])
def bad_certificate(request: pytest.FixtureRequest, authority: trustme.CA) -> trustme.LeafCert:
    match request.param:
        case "another authority":
            return trustme.CA().issue_cert(DOMAIN)
        case "another name":
            return authority.issue_cert("localhost", "127.0.0.1")
    return authority.issue_cert(DOMAIN, not_after=datetime.now(UTC) - timedelta(days=1))


async def test_certificate_that_cannot_be_trusted(
    xmpp_server: StartServer, log_in: LogIn, bad_certificate: trustme.LeafCert
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))

    server = await xmpp_server(script, serving(bad_certificate))
    error = await refusal(log_in, server)
    assert type(error) is Deferred
    assert f"{DOMAIN} has a certificate that cannot be trusted (" in str(error)
    assert server.peer.auths() == []


async def test_server_that_cannot_do_tls(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.header(STARTTLS)
        await peer.expect("<starttls")
        peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await peer.expect("\x16\x03")
        peer.send("this is not TLS at all")

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert str(error) == f"{DOMAIN} does not manage to speak TLS with us: no password was sent"


async def test_starttls_stripped(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.header(SCRAM_AND_PLAIN)

    server = await xmpp_server(script)
    error = await refusal(log_in, server)
    assert type(error) is Deferred
    assert str(error) == f"{DOMAIN} does not offer encryption: no password was sent"
    assert server.peer.auths() == []


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("policy-violation", Deferred),
        ("host-unknown", Deferred),
        ("system-shutdown", Transient),
        ("conflict", Transient),
        ("resource-constraint", Transient),
    ],
)
async def test_stream_error(
    xmpp_server: StartServer, log_in: LogIn, condition: str, kind: type[LastWordError]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(SCRAM_AND_PLAIN)
        peer.send(stream_error(condition, "Too many\n failed  authentications"))

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is kind
    assert str(error) == (
        f"{DOMAIN} ended the connection ({condition}): “Too many failed authentications”"
    )


async def test_redirect_is_not_followed(xmpp_server: StartServer, log_in: LogIn) -> None:
    elsewhere = await xmpp_server(Peer.in_session)
    host = "{}:{}".format(*elsewhere.address)

    async def script(peer: Peer) -> None:
        await peer.expect("<stream:stream[^>]*>")
        peer.send(
            "<stream:stream version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
            + stream_error("see-other-host", inner=host)
        )

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert "see-other-host" in str(error)
    assert elsewhere.peers == []


@pytest.mark.parametrize("how", ["close", "reset", "end of stream"])
@pytest.mark.parametrize("when", ["at once", "before TLS", "after TLS", "after login"])
async def test_connection_ends_in_the_middle(
    xmpp_server: StartServer, log_in: LogIn, when: str, how: str
) -> None:
    async def script(peer: Peer) -> None:
        match when:
            case "before TLS":
                await peer.header(STARTTLS)
                await peer.expect("<starttls")
            case "after TLS":
                await peer.encrypted(SCRAM_AND_PLAIN)
                await peer.expect("<auth")
            case "after login":
                await peer.logged_in()
                await peer.expect("<bind")
        match how:
            case "close":
                peer.writer.close()
            case "reset":
                peer.reset()
            case _:
                peer.send("</stream:stream>")

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
    assert str(error).startswith(f"{DOMAIN} ")


async def test_endless_stanza(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.header(STARTTLS)
        peer.send("<message><body>")
        while not peer.writer.is_closing():
            peer.send(65536 * "z")
            await peer.writer.drain()

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert "sends more than anybody asked for" in str(error)


async def test_garbled_xml(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.header(f"{STARTTLS}</oops>")

    began = monotonic()
    error = await refusal(log_in, await xmpp_server(script))
    assert monotonic() - began < 1.8  # slixmpp would wait 2 s
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} broke off or garbled its answer"


async def test_only_so_many_log_in_at_once(xmpp_server: StartServer, tls: ssl.SSLContext) -> None:
    under_way = most = 0

    async def script(peer: Peer) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await peer.encrypted(mechanisms("PLAIN"))
        await asyncio.sleep(0.02)
        under_way -= 1
        peer.send(stream_error("system-shutdown"))

    server = await xmpp_server(script)
    logins = asyncio.Semaphore(3)

    async def work() -> None:
        with pytest.raises(Transient):
            async with xmpp_session(
                JID,
                SecretStr(PASSWORD),
                tls=tls,
                address=server.address,
                deadline=5,
                answer_deadline=5,
                logins=logins,
                directory=Directory(),
            ):
                pass

    async with nothing_left():
        await asyncio.gather(*(work() for _ in range(12)))
    assert most == 3


@pytest.mark.parametrize("lax", ["certificates", "names"])
async def test_context_that_verifies_nothing(lax: str, tls: ssl.SSLContext) -> None:
    tls.check_hostname = False
    if lax == "certificates":
        tls.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="must verify"):
        async with xmpp_session(
            JID,
            SecretStr(PASSWORD),
            tls=tls,
            address=("127.0.0.1", 1),
            deadline=1,
            answer_deadline=1,
            logins=asyncio.Semaphore(1),
            directory=Directory(),
        ):
            pass
