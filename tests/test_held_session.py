"""A session that is kept, at a server that has its own mind about its name."""

import ssl

from pydantic import SecretStr

from lastword.publishers.dns import Directory
from lastword.publishers.held_session import HeldSession
from tests.fixtures_xmpp import StartServer, nothing_left
from tests.xmpp_peer import BIND, JID, PASSWORD, SM, Peer

OFFERS = f"{BIND}<sm {SM}/>"
CHOSEN = f"{JID}/chosen-by-the-server"


async def test_resumed_under_the_name_that_the_server_chose(
    xmpp_server: StartServer, tls: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        if len(server.peers) == 1:
            await peer.in_session(CHOSEN, OFFERS)
            await peer.expect("<enable [^>]*/>")
            peer.send(f"<enabled {SM} id='some-id' resume='true'/>")
            ping = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><ping")
            peer.send(f"<iq type='result' id='{ping[1].decode()}'/>")
            return
        await peer.logged_in(OFFERS)
        await peer.expect('<resume [^>]*previd="some-id"')
        peer.send(f"<resumed {SM} h='0' previd='some-id'/>")
        shown = await peer.expect(r"<presence[^>]*id=\"(\w+)\".*?</presence>")
        peer.send(f"<presence from='{CHOSEN}' to='{CHOSEN}' id='{shown[1].decode()}'/>")

    server = await xmpp_server(script)
    async with nothing_left():
        session = HeldSession(
            JID,
            lambda: SecretStr(PASSWORD),
            tls=tls,
            address=server.address,
            deadline=5,
            answer_deadline=2,
            directory=Directory(),
        )
        assert not await session.open()
        await session.check()
        assert await session.open(), "resumed"
        await session.show("Out for tea")
        await session.leave(None)
    await server.over()
