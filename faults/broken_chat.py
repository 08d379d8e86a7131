"""Chat servers, each broken in a way of its own, in a process of their own.

Prints where they are as JSON, `way` → `host:port`, and serves until its standard input ends; then
prints how many passwords or proofs of one each was sent.
"""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import trustme

from tests.xmpp_peer import Peer, Script, XMPPServer, failure, mechanisms, stream_error

PLAIN = mechanisms("PLAIN")
_AUTH = "<auth[^>]*>[^<]*</auth>"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to be broken, and what may come of it.

    Attributes:
        script: what the server does.
        ends: as outcome and error, how its accounts may end.
        is_trusted: whether its certificate is one that we trust.
    """

    script: Script
    ends: frozenset[str]
    is_trusted: bool = True


async def _silent(peer: Peer) -> None:
    await peer.expect("nothing that would ever come")


async def _silent_in_tls(peer: Peer) -> None:
    await peer.starttls()
    await _silent(peer)


async def _silent_about_password(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    await peer.expect(_AUTH)
    await _silent(peer)


async def _silent_in_session(peer: Peer) -> None:
    await peer.in_session()
    await _silent(peer)


async def _resets(peer: Peer) -> None:
    await peer.expect("<stream:stream")
    peer.reset()


async def _resets_after_password(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    await peer.expect(_AUTH)
    peer.reset()


async def _closes(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    peer.send("</stream:stream>")


async def _shuts_down(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    peer.send(stream_error("system-shutdown"))


async def _garbage(peer: Peer) -> None:
    await peer.expect("<stream:stream")
    peer.writer.write(bytes(range(256)) * 64)


async def _no_tls(peer: Peer) -> None:
    await peer.header(PLAIN)


async def _temporary(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    await peer.expect(_AUTH)
    peer.send(failure("temporary-auth-failure"))


async def _refuses(peer: Peer) -> None:
    await peer.encrypted(PLAIN)
    await peer.expect(_AUTH)
    peer.send(failure("not-authorized"))


async def _stranger(peer: Peer) -> None:
    await peer.starttls()


_PASSING = frozenset({"Failed Transient", "Deferred Deferred"})
_DEFERRED = frozenset({"Deferred Deferred"})
_REFUSED = frozenset({"Failed LoginRefused"})

NOT_AUTHORIZED = "not-authorized"
WAYS: Mapping[str, Way] = {
    "silent": Way(_silent, _PASSING),
    "silent in TLS": Way(_silent_in_tls, _PASSING),
    "silent about the password": Way(_silent_about_password, _PASSING),
    "silent in session": Way(_silent_in_session, _PASSING),
    "resets": Way(_resets, _PASSING),
    "resets after the password": Way(_resets_after_password, _PASSING),
    "closes the stream": Way(_closes, _PASSING),
    "shuts down": Way(_shuts_down, _PASSING),
    "garbage": Way(_garbage, _PASSING),
    "no TLS": Way(_no_tls, _DEFERRED),
    "temporary-auth-failure": Way(_temporary, _PASSING),
    NOT_AUTHORIZED: Way(_refuses, _REFUSED),
    "a stranger's certificate": Way(_stranger, _DEFERRED, is_trusted=False),
}


def domain_of(number: int) -> str:
    """Return the domain of the so-manieth way."""
    return f"broken{number}.example"


async def serve(pem: str) -> None:
    """Serve until standard input ends.

    Args:
        pem: file with the key and chain of a certificate for all the domains.
    """
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(pem)
    strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(*map(domain_of, range(len(WAYS)))).configure_cert(strangers)
    async with AsyncExitStack() as stack:
        servers, places = {}, {}
        for name, way in WAYS.items():
            server = XMPPServer(way.script, trusted if way.is_trusted else strangers)
            listening = await asyncio.start_server(server, "127.0.0.1", 0)
            await stack.enter_async_context(listening)
            servers[name] = server
            places[name] = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        sys.stdout.write(f"{json.dumps(places)}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        auths = {name: sum(len(it.auths()) for it in of.peers) for name, of in servers.items()}
        sys.stdout.write(f"{json.dumps(auths)}\n")
        sys.stdout.flush()
        # Some clients may have left something unread, and would be waited for.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
