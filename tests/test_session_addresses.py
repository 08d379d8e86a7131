"""Several addresses of one domain: one of them is enough, and each gets its share of the time."""

import asyncio
import socket
import ssl

import pytest
import trustme

from lastword.errors import Deferred, LastWordError, Transient
from lastword.publishers import refusals
from lastword.publishers.addresses import DirectTLS, server_addresses
from lastword.publishers.dns import Directory, Record
from tests.fixtures_xmpp import LogIn, StartServer, refusal, serving
from tests.xmpp_peer import DOMAIN, Peer, XMPPServer


class Listed(Directory):
    """Servers on loopback, where a real directory finds none."""

    def __init__(self, *servers: tuple[str, tuple[str, int]]) -> None:
        super().__init__()
        self._records: list[Record] = [
            (service, f"{number}.example", host, port)
            for number, (service, (host, port)) in enumerate(servers)
        ]

    async def servers(self, domain: str) -> list[Record]:
        assert domain == DOMAIN
        return self._records


async def with_direct_tls(peer: Peer) -> None:
    await peer.in_session(direct_tls=True)


@pytest.fixture
def refusing() -> tuple[str, int]:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()
    return address


async def came_in(server: XMPPServer, log_in: LogIn, directory: Directory) -> None:
    async with log_in(None, directory=directory, deadline=3):
        pass
    await server.over()
    assert server.peer.sent_password()


async def test_direct_tls(xmpp_server: StartServer, log_in: LogIn) -> None:
    server = await xmpp_server(with_direct_tls, direct_tls=True)
    await came_in(server, log_in, Listed(("xmpps-client", server.address)))


@pytest.mark.parametrize("host", ["{}", "[{}]"])
async def test_direct_tls_at_a_server_that_is_named(
    xmpp_server: StartServer, log_in: LogIn, host: str
) -> None:
    server = await xmpp_server(with_direct_tls, direct_tls=True)
    named = f"xmpps://{host.format(server.address[0])}:{server.address[1]}"
    async with log_in(server_addresses({DOMAIN.upper(): named})[DOMAIN]):
        pass
    await server.over()
    assert server.peer.sent_password()


async def test_starttls_where_only_direct_tls_is_named(
    xmpp_server: StartServer, log_in: LogIn
) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect("\x16\x03")
        peer.send("<stream:error><not-well-formed/></stream:error>")

    server = await xmpp_server(script)
    server.address = DirectTLS(*server.address)
    error = await refusal(log_in, server)
    assert type(error) is Deferred
    assert "does not manage to speak TLS" in str(error)
    assert not server.peer.sent_password()


async def test_starttls(xmpp_server: StartServer, log_in: LogIn) -> None:
    server = await xmpp_server(Peer.in_session)
    await came_in(server, log_in, Listed(("xmpp-client", server.address)))


async def test_next_address_after_a_refusal(
    xmpp_server: StartServer, log_in: LogIn, refusing: tuple[str, int]
) -> None:
    server = await xmpp_server(Peer.in_session)
    directory = Listed(("xmpps-client", refusing), ("xmpp-client", server.address))
    await came_in(server, log_in, directory)


async def test_next_address_after_silence(xmpp_server: StartServer, log_in: LogIn) -> None:
    silent = await xmpp_server(Peer.end)
    server = await xmpp_server(Peer.in_session)
    directory = Listed(("xmpps-client", silent.address), ("xmpp-client", server.address))
    await came_in(server, log_in, directory)
    await silent.over()


async def test_next_address_after_a_bad_certificate(
    xmpp_server: StartServer, log_in: LogIn, authority: trustme.CA
) -> None:
    false = serving(authority.issue_cert("other.example"))
    impostor = await xmpp_server(with_direct_tls, false, direct_tls=True)
    server = await xmpp_server(Peer.in_session)
    directory = Listed(("xmpps-client", impostor.address), ("xmpp-client", server.address))
    await came_in(server, log_in, directory)
    assert not any(peer.received for peer in impostor.peers)


async def test_bad_certificate_says_more_than_a_refusal(
    xmpp_server: StartServer,
    log_in: LogIn,
    authority: trustme.CA,
    refusing: tuple[str, int],
) -> None:
    false = serving(authority.issue_cert("other.example"))
    impostor = await xmpp_server(with_direct_tls, false, direct_tls=True)
    directory = Listed(("xmpps-client", impostor.address), ("xmpp-client", refusing))
    error = await refusal(log_in, None, address=None, directory=directory)
    assert type(error) is Deferred
    assert "Hostname mismatch" in str(error)


async def test_all_addresses_refuse(log_in: LogIn, refusing: tuple[str, int]) -> None:
    directory = Listed(("xmpps-client", refusing), ("xmpp-client", refusing))
    error = await refusal(log_in, None, address=None, directory=directory)
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} refuses connections"


async def test_directory_that_fails(log_in: LogIn) -> None:
    class Broken(Directory):
        async def servers(self, domain: str) -> list[Record]:
            raise OSError(domain)

    error = await refusal(log_in, None, address=None, directory=Broken())
    assert type(error) is Transient


@pytest.mark.parametrize(
    ("reason", "kind", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), Transient, "does not resolve"),
        ("No DNS record available for chat.example", Transient, "does not resolve"),
        (TimeoutError(), Transient, "does not answer"),
        (asyncio.IncompleteReadError(b"", 1), Transient, "cannot be reached"),
        (OSError(101, "Network is unreachable"), Transient, "cannot be reached"),
        (ssl.SSLError(1, "no protocols in common"), Deferred, "speak TLS"),
    ],
)
def test_what_a_failure_to_connect_means(
    reason: object, kind: type[LastWordError], words: str
) -> None:
    error = refusals.of_connection(reason, DOMAIN)
    assert type(error) is kind
    assert str(error).startswith(DOMAIN)
    assert words in str(error)
