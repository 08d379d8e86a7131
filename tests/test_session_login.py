"""One login with one mechanism: what is sent, and what a refusal means."""

import base64
import logging
from typing import Any

import pytest

from lastword.errors import Deferred, Gone, LastWordError, LoginRefused, Rejected, Transient
from tests.fixtures_xmpp import LogIn, StartServer, refusal
from tests.xmpp_peer import (
    BIND,
    DOMAIN,
    JID,
    PASSWORD,
    Peer,
    Script,
    failure,
    mechanisms,
    stream_error,
)

SCRAM_AND_PLAIN = mechanisms("SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-256", "DIGEST-MD5")


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
    assert type(error) is LoginRefused
    assert str(error) == (
        f"{DOMAIN} refused the password: set the right one with `lastword accounts edit`"
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
        ("account-disabled", Gone, "has disabled the account: “Ask the desk”"),
        ("credentials-expired", LoginRefused, "refused the password"),
        ("temporary-auth-failure", Transient, "cannot check passwords just now"),
        ("mechanism-too-weak", LoginRefused, "refused the login (mechanism-too-weak): “Ask"),
        ("invalid-authzid", LoginRefused, "refused the login"),
        ("never-heard-of", LoginRefused, "(never-heard-of)"),
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


async def test_server_that_repeats_the_password(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.send(stream_error("policy-violation", f"{PASSWORD}? Really?"))

    error = await refusal(log_in, await xmpp_server(script))
    assert str(error) == f"{DOMAIN} ended the connection (policy-violation)"


def bind_refused(condition: str) -> Script:
    async def script(peer: Peer) -> None:
        await peer.logged_in()
        request = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
        peer.send(
            f"<iq type='error' id='{request[1].decode()}'><error type='wait'>"
            f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )

    return script


@pytest.mark.parametrize("condition", ["conflict", "resource-constraint"])
async def test_bind_refused(xmpp_server: StartServer, log_in: LogIn, condition: str) -> None:
    error = await refusal(log_in, await xmpp_server(bind_refused(condition)))
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} gave us no session ({condition})"


@pytest.mark.parametrize("condition", ["not-allowed", "forbidden"])
async def test_bind_forbidden(xmpp_server: StartServer, log_in: LogIn, condition: str) -> None:
    error = await refusal(log_in, await xmpp_server(bind_refused(condition)))
    assert type(error) is Gone
    assert str(error) == (
        f"{DOMAIN} lets the user open no session ({condition}): its operator must allow it, or"
        " pause the account"
    )


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


@pytest.mark.parametrize("rounds", [2_000_000_000, 0, -1])
async def test_scram_with_endless_work_or_none(
    xmpp_server: StartServer, log_in: LogIn, rounds: int
) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("SCRAM-SHA-1"))
        auth = await peer.expect("<auth[^>]*>([^<]*)</auth>")
        nonce = base64.b64decode(auth[1]).rpartition(b"r=")[2]
        challenge = base64.b64encode(b"r=" + nonce + b"x,s=c2FsdA==,i=%d" % rounds).decode()
        peer.send(f"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{challenge}</challenge>")
        await peer.expect("<abort")
        peer.send(failure("aborted"))

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} cannot check passwords just now (aborted)"


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

    error = await refusal(log_in, await xmpp_server(script))
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} broke off or garbled its answer"


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


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"jid": "alice@"}, "JID cannot be one"),
        ({"jid": "alice@faß.de"}, "takes for another one, so no password was sent"),
        ({"jid": "alice@βόλος.gr"}, "takes for another one, so no password was sent"),
        ({"jid": f"aliße@{DOMAIN}"}, "takes for another one, so no password was sent"),
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
