"""The publisher `login` where the server does not confirm, or hangs."""

import asyncio
import ssl
from collections.abc import Callable
from time import monotonic

import pytest
from pydantic import SecretStr

from demo.prosody import Prosody
from lastword.errors import Rejected, Transient
from lastword.publishers.base import Confirmation
from lastword.publishers.login import Login
from models import Account
from tests.fixtures_xmpp import StartServer, account, login_to, nothing_left, tls_for
from tests.xmpp_peer import DOMAIN, JID, PASSWORD, Peer, XMPPServer

ALICE = account("alice")


@pytest.fixture
def scripted(tls: ssl.SSLContext) -> Callable[[XMPPServer], Login]:
    return lambda server: login_to(server.address, tls, answer_deadline=0.5)


async def test_jid_of_another_is_refused_before_the_password_is_opened(
    tls: ssl.SSLContext,
) -> None:
    opened: list[Account] = []

    def open_secret(account: Account) -> SecretStr:
        opened.append(account)
        return SecretStr(PASSWORD)

    login = Login(
        tls=tls, open_secret=open_secret, servers={}, deadline=5, answer_deadline=5, logins=1
    )
    other = account("alice")
    other.jid = "alice@faß.de"
    with pytest.raises(Rejected, match="takes for another one"):
        async with login.session(other):
            pass
    assert opened == []


async def _presence_of(peer: Peer) -> str:
    """Let the client into a session; return the id of the presence that it sends."""
    await peer.in_session()
    return (await peer.expect(r"<presence[^>]*id=\"(\w+)\".*?</presence>"))[1].decode()


async def test_presence_that_is_never_echoed(
    xmpp_server: StartServer, scripted: Callable[[XMPPServer], Login]
) -> None:
    async def script(peer: Peer) -> None:
        sent = await _presence_of(peer)
        # A contact's server bounces it: the id is ours, but nobody confirmed anything.
        peer.send(f"<presence from='bob@{DOMAIN}' to='{JID}/x' type='error' id='{sent}'/>")

    server = await xmpp_server(script)
    with pytest.raises(Transient, match="did not answer a request"):
        async with scripted(server).session(ALICE) as session:
            await session.set("Out for tea")
    await server.over()
    assert b"<publish" not in server.peer.received


@pytest.mark.parametrize(
    ("error", "carrier"),
    [
        ("type='cancel'><service-unavailable", "presence"),
        ("type='cancel'><feature-not-implemented", "presence"),
        ("type='auth'><forbidden", "presence"),
        ("type='wait'><resource-constraint", None),
        ("type='cancel'><internal-server-error", None),
    ],
)
async def test_activity_that_is_refused(
    xmpp_server: StartServer,
    scripted: Callable[[XMPPServer], Login],
    error: str,
    carrier: str | None,
) -> None:
    async def script(peer: Peer) -> None:
        sent = await _presence_of(peer)
        peer.send(f"<presence from='{JID}/x' to='{JID}/x' id='{sent}'/>")
        ns = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
        for _ in range(2 if carrier else 1):  # it may be the options that the server does not know
            request = await peer.expect(r"<iq(?=[^>]*type=\"set\")[^>]*id=\"(\w+)\"")
            await peer.expect("</iq>")
            number = request[1].decode()
            peer.send(f"<iq type='error' id='{number}'><error {error} {ns}/></error></iq>")

    server = await xmpp_server(script)
    login = scripted(server)
    if carrier is None:
        with pytest.raises(Transient, match="cannot do that just now"):
            async with login.session(ALICE) as session:
                await session.set("Out for tea")
    else:
        async with login.session(ALICE) as session:
            assert await session.set("Out for tea") == Confirmation(carrier)
    await server.over()


async def test_leaving_a_server_that_hangs(
    xmpp_server: StartServer, scripted: Callable[[XMPPServer], Login]
) -> None:
    async def script(peer: Peer) -> None:
        sent = await _presence_of(peer)
        peer.send(f"<presence from='{JID}/x' to='{JID}/x' id='{sent}'/>")
        request = await peer.expect(r"<iq(?=[^>]*type=\"set\")[^>]*id=\"(\w+)\"")
        peer.send(f"<iq type='result' id='{request[1].decode()}'/>")
        await peer.end(polite=False)

    server = await xmpp_server(script)
    async with nothing_left():
        async with scripted(server).session(ALICE) as session:
            await session.set("Out for tea")
            began = monotonic()
        assert monotonic() - began < 2
    await server.over()
    said = server.peer.received.rpartition(b"<presence")[2]
    assert b'type="unavailable"' in said
    assert b"Out for tea" in said
    assert said.endswith(b"</stream:stream>")


async def test_server_that_is_shut_down_meanwhile() -> None:
    with Prosody(domain=DOMAIN, users={"alice": PASSWORD}) as prosody:
        login = login_to(prosody.address, tls_for(prosody), answer_deadline=60)
        began = monotonic()
        async with nothing_left():
            async with login.session(ALICE) as session:
                await session.set("Out for tea")
                await asyncio.to_thread(prosody.stop)
                with pytest.raises(Transient, match=rf"{DOMAIN} (ended|closed) the connection"):
                    await session.set("Back")
            with pytest.raises(Transient, match="refuses connections"):
                async with login.session(ALICE):
                    pass
    assert monotonic() - began < 20
