"""Each way in which the operator's connection can end: one error, in time, nothing left.

The component protocol (XEP-0114) is spoken by scripted servers; what a real Prosody refuses is in
test_operator.py.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

import pytest

from lastword.errors import LastWordError, Systemic, Transient
from lastword.publishers.operator import Gateway, Operator
from lastword.publishers.privilege import NS as PRIVILEGE
from tests.fixtures_xmpp import account, nothing_left
from tests.xmpp_peer import DOMAIN, Peer, Script, XMPPServer, stream_error

ALICE = account("alice")
SECRET = "between the two"
DISCO = "http://jabber.org/protocol/disco#info"
SHARED = "google:shared-status"

Operating = Callable[[Script], Awaitable[Operator]]


@pytest.fixture
async def operating(server_tls: ssl.SSLContext) -> AsyncIterator[Operating]:
    """Return a function that starts a server with a script, and the publisher that goes there."""
    async with AsyncExitStack() as stack:

        async def start(script: Script) -> Operator:
            server = XMPPServer(script, server_tls)
            listening = await asyncio.start_server(server, "127.0.0.1", 0)
            await stack.enter_async_context(listening)
            port = listening.sockets[0].getsockname()[1]
            return _operator(f"127.0.0.1:{port}")

        yield start


def _operator(server: str) -> Operator:
    gateway = Gateway.model_validate(
        {"component": f"lastword.{DOMAIN}", "server": server, "secret": SECRET}
    )
    return Operator({DOMAIN: gateway}, deadline=5, answer_deadline=0.5)


async def header(peer: Peer) -> None:
    await peer.expect(r"<stream:stream[^>]*>")
    peer.send(
        f"<?xml version='1.0'?><stream:stream from='lastword.{DOMAIN}' id='1'"
        " xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
    )


async def accepted(peer: Peer, beside: str = "") -> None:
    """Come as far as a component that may set the shared status."""
    await header(peer)
    await peer.expect("<handshake[^>]*>[^<]*</handshake>")
    peer.send(
        f"<handshake/><message from='{DOMAIN}'><privilege xmlns='{PRIVILEGE}'><perm access='iq'>"
        f"<namespace ns='{SHARED}' type='both'/></perm></privilege></message>"
    )
    peer.send(beside)
    asked = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*>.*?</iq>")
    peer.send(
        f"<iq type='result' from='{DOMAIN}' id='{asked[1].decode()}'><query xmlns='{DISCO}'>"
        f"<feature var='{SHARED}'/></query></iq>"
    )


ENDINGS = {
    "close": "closed the component's connection",
    "reset": "closed the component's connection",
    "end of stream": "closed the component's connection",
    "not XML": "broke off or garbled its answer",
    "too much": "sends more than anybody asked for",
    "system-shutdown": "(system-shutdown)",
    "policy-violation": "(policy-violation)",
}


async def end(peer: Peer, how: str) -> None:
    match how:
        case "close":
            peer.writer.close()
        case "reset":
            peer.reset()
        case "end of stream":
            peer.send("</stream:stream>")
        case "not XML":
            peer.send("<iq></oops>")
        case "too much":
            peer.send(f"<message><body>{(1 << 20) * 'z'}")
        case _:
            peer.send(stream_error(how))


@asynccontextmanager
async def failing(operator: Operator, kind: type[LastWordError], words: str) -> AsyncIterator[None]:
    """Check the error that the block raises, the time that it takes, and what is left."""
    began = monotonic()
    async with nothing_left():
        try:
            with pytest.raises(LastWordError) as caught:
                yield
            # Deadlines of answers are 0.5 s; slixmpp's own are 2 s and more.
            assert monotonic() - began < 1.8
        finally:
            await operator.close()
    assert type(caught.value) is kind
    assert re.search(re.escape(words), str(caught.value))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("how", [*ENDINGS])
async def test_ends_before_the_handshake(operating: Operating, how: str) -> None:
    async def script(peer: Peer) -> None:
        await header(peer)
        await peer.expect("<handshake")
        await end(peer, how)

    operator = await operating(script)
    async with failing(operator, Transient, ENDINGS[how]), operator.session(ALICE):
        pass


@pytest.mark.parametrize("how", [*ENDINGS, "conflict"])
async def test_pending_requests_fail_when_the_connection_does(
    operating: Operating, how: str
) -> None:
    """At once, and all of them: not after the deadline of an answer."""
    others = 5

    async def script(peer: Peer) -> None:
        await accepted(peer)
        for _ in range(1 + others):
            await peer.expect("<iq.*?privileged_iq>")
        await end(peer, how)

    operator = await operating(script)
    operator._links[DOMAIN]._deadlines["answer_deadline"] = 60

    async def wait() -> LastWordError:
        with pytest.raises(LastWordError) as caught:
            async with operator.session(ALICE) as session:
                await session.current()
        return caught.value

    async with failing(operator, Transient, ENDINGS.get(how, f"({how})")):
        async with operator.session(ALICE) as session, asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(wait()) for _ in range(others)]
            with pytest.raises(LastWordError) as caught:
                await session.current()
        assert all(type(task.result()) is not Systemic for task in waiting)
        raise caught.value


async def test_request_that_is_never_answered(operating: Operating) -> None:
    operator = await operating(accepted)
    async with (
        failing(operator, Transient, f"{DOMAIN} did not answer a request within 0.5 s"),
        operator.session(ALICE) as session,
    ):
        await session.current()


async def test_set_that_is_never_answered_is_not_confirmed(operating: Operating) -> None:
    async def script(peer: Peer) -> None:
        await accepted(peer)
        asked = await peer.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*>.*?privileged_iq>")
        peer.send(
            f"<iq type='result' from='alice@{DOMAIN}' id='{asked[1].decode()}'>"
            f"<privilege xmlns='{PRIVILEGE}'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"<iq xmlns='jabber:client' type='result'><query xmlns='{SHARED}'/></iq>"
            "</forwarded></privilege></iq>"
        )

    operator = await operating(script)
    async with (
        failing(operator, Transient, "did not answer a request"),
        operator.session(ALICE) as session,
    ):
        assert await session.current() is None
        await session.set("Out for tea")


async def test_strangers_do_not_answer_for_the_server(operating: Operating) -> None:
    """Any server on the network can send a component stanzas, and may guess what it waits for."""

    async def script(peer: Peer) -> None:
        await accepted(
            peer,
            f"<message from='evil.example'><privilege xmlns='{PRIVILEGE}'/></message>"
            "<presence from='eve@evil.example' type='subscribe'/>",
        )
        await peer.expect(r"<iq[^>]*id=\"(\w+)\"")
        for number in range(9):
            peer.send(f"<iq type='result' from='eve@evil.example' id='lw{number}'/>")
        await peer.end(polite=False)

    operator = await operating(script)
    words = "did not answer a request"
    async with failing(operator, Transient, words), operator.session(ALICE) as session:
        await session.current()


async def test_another_program_has_the_name(operating: Operating) -> None:
    async def script(peer: Peer) -> None:
        await header(peer)
        await peer.expect("<handshake")
        peer.send(stream_error("conflict"))

    operator = await operating(script)
    async with failing(operator, Systemic, "(conflict)"), operator.session(ALICE):
        pass


async def test_name_that_does_not_resolve() -> None:
    operator = _operator("component.invalid:5347")
    async with failing(operator, Transient, "does not resolve"), operator.session(ALICE):
        pass
