"""Within a session and at its end: nothing waits longer than the stream lives, nothing is left."""

import asyncio
import gc
from contextlib import suppress
from time import monotonic

import pytest

from lastword.errors import Deferred, LastWordError, Transient
from tests.fixtures_xmpp import LogIn, StartServer, nothing_left
from tests.xmpp_peer import (
    DOMAIN,
    Peer,
    mechanisms,
    stream_error,
)

SCRAM_AND_PLAIN = mechanisms("SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-256", "DIGEST-MD5")


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
        with pytest.raises(Transient, match=r"did not answer a request within 0\.2 s"):
            await client.answer_to(client.Iq(stype="get").send())
    await server.over()


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("close", Transient),
        ("reset", Transient),
        ("end of stream", Transient),
        ("system-shutdown", Transient),
        ("policy-violation", Deferred),
    ],
)
async def test_pending_request_fails_when_the_stream_does(
    xmpp_server: StartServer, log_in: LogIn, how: str, kind: type[LastWordError]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session()
        await peer.expect('<iq[^>]*type="get"')
        match how:
            case "close":
                peer.writer.close()
            case "reset":
                peer.reset()
            case "end of stream":
                peer.send("</stream:stream>")
            case _:
                peer.send(stream_error(how))

    server = await xmpp_server(script)
    began = monotonic()
    async with log_in(server.address, answer_deadline=60) as client:
        with pytest.raises(kind, match=f"{DOMAIN} (closed|ended) the connection"):
            await client.answer_to(client.Iq(stype="get").send())
        with pytest.raises(kind, match=f"{DOMAIN} (closed|ended) the connection"):
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
    assert 0.2 <= monotonic() - began < 1.5
    await server.over()


async def test_error_in_the_block_drops_the_connection(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    server = await xmpp_server(Peer.in_session)
    with suppress(ZeroDivisionError):
        async with log_in(server.address):
            began = monotonic()
            raise ZeroDivisionError
    assert monotonic() - began < 1.5
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
            await peer.expect('<iq[^>]*type="get"')
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
    assert monotonic() - began < 1.5
    await server.over()


async def test_many_endings_leave_no_complaints(xmpp_server: StartServer, log_in: LogIn) -> None:
    """Futures that nobody looked at complain when they are collected."""

    async def script(peer: Peer) -> None:
        await peer.in_session()
        await peer.expect('<iq[^>]*type="get"')
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
