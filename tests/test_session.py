"""Each way in which a login can end, on real sockets: one error, in time, and nothing is left."""

import asyncio
import base64
import gc
import hashlib
import logging
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from slixmpp.util.sasl.client import MECHANISMS as REGISTERED
from slixmpp.util.sasl.mechanisms import SCRAM

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.publishers.dns import Directory
from lastword.publishers.scram import QuickSCRAM
from lastword.publishers.session import xmpp_session
from tests.fixtures_xmpp import (
    BIND,
    DOMAIN,
    JID,
    PASSWORD,
    STARTTLS,
    LogIn,
    Peer,
    StartServer,
    failure,
    mechanisms,
    nothing_left,
    refusal,
    serving,
    stream_error,
)

pytest_plugins = ["tests.fixtures_xmpp"]

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


async def test_server_silent_in_the_tls_handshake(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
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


@pytest.mark.parametrize("encrypted", [False, True])
async def test_session_offered_without_login(
    xmpp_server: StartServer, log_in: LogIn, *, encrypted: bool
) -> None:
    async def script(peer: Peer) -> None:
        await (peer.encrypted(BIND) if encrypted else peer.header(BIND))
        request = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
        peer.send(
            f"<iq type='result' id='{request[1].decode()}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{JID}/x</jid></bind></iq>"
        )

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert "without encryption or login" in str(error)


async def test_no_mechanism_that_we_know(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("DIGEST-MD5", "X-OAUTH2", "LOGIN", "ANONYMOUS"))

    server = await xmpp_server(script)
    error = await refusal(log_in, server)
    assert type(error) is Deferred
    assert "does not offer a way to log in" in str(error)
    assert server.peer.auths() == []


async def test_refused_password_is_tried_once(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(SCRAM_AND_PLAIN)
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.send(failure("not-authorized", f"No, {PASSWORD} is wrong"))

    server = await xmpp_server(script)
    error = await refusal(log_in, server)
    assert type(error) is Rejected
    assert str(error) == (
        f"{DOMAIN} refused the password of {JID}: set the right one with `lastword accounts edit`"
    )
    assert server.peer.auths() == ["SCRAM-SHA-256"]
    assert not server.peer.sent_password()


async def test_plain_where_the_server_offers_nothing_better(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    server = await xmpp_server(Peer.in_session)
    async with log_in(server.address) as client:
        assert client.boundjid.full == f"{JID}/x"
    await server.over()
    assert server.peer.auths() == ["PLAIN"]
    assert server.peer.sent_password()
    assert server.peer.received.endswith(b"</stream:stream>")


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ("account-disabled", Gone, f"has disabled {JID}: “Ask the desk”"),
        ("credentials-expired", Rejected, "refused the password"),
        ("temporary-auth-failure", Transient, "cannot check passwords just now"),
        ("mechanism-too-weak", Rejected, "refused the login of alice@chat.example (mechanism-too"),
        ("invalid-authzid", Rejected, "refused the login"),
        ("never-heard-of", Rejected, "(never-heard-of)"),
    ],
)
async def test_login_refused(
    xmpp_server: StartServer,
    log_in: LogIn,
    condition: str,
    kind: type[LastWordError],
    words: str,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.send(failure(condition, "Ask the desk"))

    server = await xmpp_server(script)
    error = await refusal(log_in, server)
    assert type(error) is kind
    assert words in str(error)
    assert server.peer.auths() == ["PLAIN"]


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


async def test_server_that_repeats_the_password(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.send(stream_error("policy-violation", f"{PASSWORD}? Really?"))

    error = await refusal(log_in, await xmpp_server(script))
    assert str(error) == f"{DOMAIN} ended the connection (policy-violation)"


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


def _reset(peer: Peer) -> None:
    raw = peer.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.writer.transport.abort()


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
                _reset(peer)
            case _:
                peer.send("</stream:stream>")

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
    assert str(error).startswith(f"{DOMAIN} ")


@pytest.mark.parametrize("condition", ["conflict", "resource-constraint"])
async def test_bind_refused(xmpp_server: StartServer, log_in: LogIn, condition: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.logged_in()
        request = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
        peer.send(
            f"<iq type='error' id='{request[1].decode()}'><error type='wait'>"
            f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} gave us no session ({condition})"


async def test_bound_to_another_jid(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session(f"mallory@{DOMAIN}/x")

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Deferred
    assert "another JID" in str(error)


async def test_resource_is_new_each_time(xmpp_server: StartServer, log_in: LogIn) -> None:
    server = await xmpp_server(Peer.in_session)
    for _ in range(2):
        async with log_in(server.address):
            pass
    await server.over()
    resources = [peer.received.partition(b"<resource>")[2][:17] for peer in server.peers]
    assert all(resource.startswith(b"lastword-") for resource in resources)
    assert resources[0] != resources[1]


async def test_scram_with_endless_work(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        auth = await peer.expect("<auth[^>]*>([^<]*)</auth>")
        nonce = base64.b64decode(auth[1]).rpartition(b"r=")[2]
        challenge = base64.b64encode(b"r=" + nonce + b"x,s=c2FsdA==,i=2000000000").decode()
        peer.send(f"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{challenge}</challenge>")
        await peer.expect("<abort")
        peer.send(failure("aborted"))

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient


async def test_scram_with_a_false_proof_of_the_server(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        auth = await peer.expect("<auth[^>]*>([^<]*)</auth>")
        nonce = base64.b64decode(auth[1]).rpartition(b"r=")[2]
        challenge = base64.b64encode(b"r=" + nonce + b"x,s=c2FsdA==,i=4096").decode()
        peer.send(f"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{challenge}</challenge>")
        await peer.expect("<response[^>]*>([^<]*)</response>")
        false = base64.b64encode(b"v=" + base64.b64encode(b"0" * 20)).decode()
        peer.send(f"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{false}</success>")

    assert type(await refusal(log_in, await xmpp_server(script))) is Transient


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

    assert type(await refusal(log_in, await xmpp_server(script), deadline=3)) is Transient


async def test_stanzas_may_come_without_end(xmpp_server: StartServer, log_in: LogIn) -> None:
    """The limit is one of a stanza's size, not of a session's: contacts may be many."""

    async def script(peer: Peer) -> None:
        await peer.in_session()
        for number in range(40):
            words = f"{number} " + 50_000 * "."
            peer.send(f"<presence from='bob@{DOMAIN}/x'><status>{words}</status></presence>")
            await peer.writer.drain()
        request = await peer.expect(r"<iq(?=[^>]*type=\"get\")[^>]*id=\"(\w+)\"")
        peer.send(f"<iq type='result' id='{request[1].decode()}'/>")

    server = await xmpp_server(script)
    async with log_in(server.address) as client:
        answer = await client.answer_to(client.Iq(stype="get").send())
        assert answer["type"] == "result"


async def test_request_that_is_never_answered(xmpp_server: StartServer, log_in: LogIn) -> None:
    server = await xmpp_server(Peer.in_session)
    async with log_in(server.address, answer_deadline=0.2) as client:
        with pytest.raises(Transient, match="did not answer a request within 0.2 s"):
            await client.answer_to(client.Iq(stype="get").send())
    await server.over()


@pytest.mark.parametrize("how", ["close", "reset", "end of stream", "system-shutdown"])
async def test_pending_request_fails_when_the_stream_does(
    xmpp_server: StartServer, log_in: LogIn, how: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session()
        await peer.expect("<iq[^>]*type=\"get\"")
        match how:
            case "close":
                peer.writer.close()
            case "reset":
                _reset(peer)
            case "end of stream":
                peer.send("</stream:stream>")
            case _:
                peer.send(stream_error(how))

    server = await xmpp_server(script)
    began = monotonic()
    async with log_in(server.address, answer_deadline=60) as client:
        with pytest.raises(Transient, match=f"{DOMAIN} (closed|ended) the connection"):
            await client.answer_to(client.Iq(stype="get").send())
        with pytest.raises(Transient, match=f"{DOMAIN} (closed|ended) the connection"):
            await client.answer_to(client.Iq(stype="get").send())
    assert monotonic() - began < 5
    await server.over()


async def test_server_that_does_not_close_its_stream(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session()
        await peer.end(polite=False)

    server = await xmpp_server(script)
    async with log_in(server.address, answer_deadline=0.2):
        began = monotonic()
    assert 0.2 <= monotonic() - began < 1
    await server.over()


async def test_error_in_the_block_drops_the_connection(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    server = await xmpp_server(Peer.in_session)
    with pytest.raises(ZeroDivisionError):
        async with log_in(server.address):
            began = monotonic()
            raise ZeroDivisionError
    assert monotonic() - began < 0.5
    await server.over()
    assert not server.peer.received.endswith(b"</stream:stream>")


@pytest.mark.parametrize("when", ["in the login", "in the session"])
async def test_cancellation(xmpp_server: StartServer, log_in: LogIn, when: str) -> None:
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        if when == "in the login":
            await peer.encrypted(SCRAM_AND_PLAIN)
            await peer.expect("<auth")
        else:
            await peer.in_session()
            await peer.expect("<iq[^>]*type=\"get\"")
        reached.set()

    async def work() -> None:
        async with log_in(server.address, deadline=60, answer_deadline=60) as client:
            await client.answer_to(client.Iq(stype="get").send())

    server = await xmpp_server(script)
    task = asyncio.create_task(work())
    await reached.wait()
    began = monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert monotonic() - began < 0.5
    await server.over()


async def test_only_so_many_log_in_at_once(
    xmpp_server: StartServer, tls: ssl.SSLContext
) -> None:
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
                PASSWORD,
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


async def test_passwords_stay_out_of_the_log(
    xmpp_server: StartServer, log_in: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await xmpp_server(Peer.in_session)
    async with log_in(server.address):
        pass
    await server.over()
    assert server.peer.sent_password()
    assert PASSWORD not in caplog.text
    assert base64.b64encode(f"\0alice\0{PASSWORD}".encode()).decode() not in caplog.text


@pytest.mark.parametrize("lax", ["certificates", "names"])
async def test_context_that_verifies_nothing(lax: str, tls: ssl.SSLContext) -> None:
    tls.check_hostname = False
    if lax == "certificates":
        tls.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="must verify"):
        async with xmpp_session(
            JID,
            PASSWORD,
            tls=tls,
            address=("127.0.0.1", 1),
            deadline=1,
            answer_deadline=1,
            logins=asyncio.Semaphore(1),
            directory=Directory(),
        ):
            pass


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"jid": "alice@"}, "alice@ is not a JID"),
        ({"password": "a\0b"}, "has a character that no XMPP server takes"),
        ({"password": "a\ud800b"}, "has a character that no XMPP server takes"),
    ],
)
async def test_what_cannot_be_sent(
    xmpp_server: StartServer, log_in: LogIn, kwargs: dict[str, Any], words: str
) -> None:
    server = await xmpp_server(Peer.in_session)
    error = await refusal(log_in, server, **kwargs)
    assert type(error) is Rejected
    assert words in str(error)
    assert server.peers == []


@given(
    name=st.sampled_from(["SHA-1", "SHA-256", "SHA-512"]),
    password=st.binary(min_size=1, max_size=80),
    salt=st.binary(min_size=1, max_size=32),
    rounds=st.integers(1, 20),
)
def test_key_derivation_equals_that_of_slixmpp(
    name: str, password: bytes, salt: bytes, rounds: int
) -> None:
    credentials = {"username": b"alice", "password": password, "channel_binding": b""}
    security = {"encrypted": True, "tls_version": "TLSv1.3", "binding_proposed": False}
    quick = REGISTERED[f"SCRAM-{name}"](f"SCRAM-{name}", credentials, security)
    slow = SCRAM(f"SCRAM-{name}", credentials, security)
    assert isinstance(quick, QuickSCRAM)
    assert quick.Hi(password, salt, rounds) == slow.Hi(password, salt, rounds)


def test_key_derivation_of_rfc_6070() -> None:
    scram = REGISTERED["SCRAM-SHA-1"](
        "SCRAM-SHA-1",
        {"username": b"", "password": b"", "channel_binding": b""},
        {"encrypted": True, "tls_version": "TLSv1.3", "binding_proposed": False},
    )
    derived = scram.Hi(b"password", b"salt", 4096)
    assert derived.hex() == "4b007901b765489abead49d926f721d065a429c1"
    assert hashlib.sha1(derived, usedforsecurity=False).digest_size == len(derived)


async def test_many_endings_leave_no_complaints(xmpp_server: StartServer, log_in: LogIn) -> None:
    """Futures that nobody looked at complain when they are collected."""

    async def script(peer: Peer) -> None:
        await peer.in_session()
        await peer.expect("<iq[^>]*type=\"get\"")
        peer.writer.close()

    server = await xmpp_server(script)
    async with nothing_left():
        for _ in range(5):
            async with log_in(server.address) as client:
                client.Iq(stype="get").send()
                with pytest.raises(Transient):
                    await client.answer_to(client.Iq(stype="get").send())
        del client
        gc.collect()
        await asyncio.sleep(0)
