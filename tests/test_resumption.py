"""Stream management with servers that grant little, answer nonsense, or break off."""

import pytest
from pydantic import SecretStr

from lastword.errors import LoginRefused
from lastword.publishers.resumption import LONGEST, NotResumed, Saved, keep
from tests.fixtures_xmpp import LogIn, StartServer
from tests.xmpp_peer import BIND, JID, SM, Peer, Script, failure, mechanisms

OFFERS = f"{BIND}<sm {SM}/>"
ENABLED = f"<enabled {SM} id='some-id' resume='true' max='3600'/>"
SAVED = Saved(f"{JID}/lastword-1", SecretStr("some-id"), handled=7, sent=3, seconds=3600)


def enabling(answer: str, *, acknowledging: bool) -> Script:
    async def script(peer: Peer) -> None:
        await peer.in_session(features=OFFERS)
        await peer.expect("<enable [^>]*/>")
        peer.send(answer)
        if acknowledging:
            await peer.expect(r"<a [^>]*/>\s*<r [^>]*/>")
            peer.send(f"<a {SM} h='0'/>")

    return script


@pytest.mark.parametrize(
    "answer",
    [
        f"<enabled {SM} id='some-id' resume='true'/>",
        f"<enabled {SM} id='some-id' resume='true' max='2399'/>",
        f"<enabled {SM} id='some-id' resume='true' max='-3600'/>",
        f"<enabled {SM} id='some-id' resume='true' max='for ever'/>",
        f"<enabled {SM} id='some-id' resume='false' max='3600'/>",
        f"<enabled {SM} resume='true' max='3600'/>",
        f"<enabled {SM} id='{'x' * 5000}' resume='true' max='3600'/>",
        f"<failed {SM}/>",
        "",
        ENABLED,  # but what was sent is never acknowledged
    ],
)
async def test_too_little(xmpp_server: StartServer, log_in: LogIn, answer: str) -> None:
    server = await xmpp_server(enabling(answer, acknowledging=False))
    async with log_in(server.address, answer_deadline=0.5) as client:
        assert await keep(client, at_least=2400, ask=7200) is None
        assert client.lost is None, "there is still a stream to close"
    await server.over()
    assert b"</stream:stream>" in server.peer.received
    assert b'max="7200"' in server.peer.received


@pytest.mark.parametrize(("granted", "believed"), [(3600, 3600), (10**12, LONGEST)])
async def test_enough(xmpp_server: StartServer, log_in: LogIn, granted: int, believed: int) -> None:
    server = await xmpp_server(enabling(ENABLED.replace("3600", str(granted)), acknowledging=True))
    async with log_in(server.address) as client:
        saved = await keep(client, at_least=2400, ask=7200)
        assert saved == Saved(f"{JID}/x", SecretStr("some-id"), handled=0, sent=0, seconds=believed)
    await server.over()
    assert b"</stream:stream>" not in server.peer.received


async def test_not_offered(xmpp_server: StartServer, log_in: LogIn) -> None:
    server = await xmpp_server(Peer.in_session)
    async with log_in(server.address) as client:
        assert await keep(client, at_least=2400, ask=7200) is None
    await server.over()
    assert b"<enable" not in server.peer.received, "servers end the stream at what they do not know"


async def test_broken_off_when_all_was_well(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session(features=OFFERS)
        await peer.expect("<enable [^>]*/>")
        peer.send(ENABLED)
        await peer.expect("<r [^>]*/>")
        peer.reset()

    server = await xmpp_server(script)
    async with log_in(server.address) as client:
        saved = await keep(client, at_least=2400, ask=7200)
        assert saved, "the server keeps it all the same"
        assert saved.id == SecretStr("some-id")


@pytest.mark.parametrize(
    "answer",
    ["", f"<resumed {SM} previd='some-id' h='x'/>", f"<failed {SM}/></stream:stream>"],
)
async def test_no_session_at_all(xmpp_server: StartServer, log_in: LogIn, answer: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.logged_in(OFFERS)
        await peer.expect("<resume [^>]*/>")
        peer.send(answer)

    server = await xmpp_server(script)
    with pytest.raises(NotResumed):
        async with log_in(server.address, saved=SAVED, answer_deadline=0.5):
            pass
    await server.over()
    assert b'h="7"' in server.peer.received
    assert b'previd="some-id"' in server.peer.received


@pytest.mark.parametrize("h", ["", " h='x'", " h='-1'", f" h='{'9' * 5000}'"])
async def test_nonsense_for_an_acknowledgement(
    xmpp_server: StartServer, log_in: LogIn, h: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session(features=OFFERS)
        await peer.expect("<enable [^>]*/>")
        peer.send(ENABLED)
        await peer.expect("<r [^>]*/>")
        peer.send(f"<a {SM}{h}/>")

    server = await xmpp_server(script)
    async with log_in(server.address) as client:
        assert await keep(client, at_least=2400, ask=7200)
        assert client.lost


async def test_what_was_not_asked_for(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.logged_in(OFFERS)
        peer.send(f"<resumed {SM} previd='other' h='3'/>")
        await peer.expect("<iq")
        peer.send(f"<failed {SM}/>")

    server = await xmpp_server(script)
    with pytest.raises(Exception, match="login within"):
        async with log_in(server.address, deadline=1):
            pass


async def test_refused_password_is_tried_once(xmpp_server: StartServer, log_in: LogIn) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.send(failure("not-authorized"))

    server = await xmpp_server(script)
    with pytest.raises(LoginRefused):
        async with log_in(server.address, saved=SAVED):
            pass
    await server.over()
    assert len(server.peer.auths()) == 1
