"""Where servers are found: SRV records, in order, and never within our own network."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from time import monotonic
from typing import cast

import pytest
from aiodns import DNSResolver

from lastword.errors import Deferred, Transient
from lastword.publishers.dns import Directory
from tests.fixtures_xmpp import LogIn, StartServer, refusal
from tests.xmpp_peer import DOMAIN, JID, Peer

A, AAAA, SRV = 1, 28, 33
Zone = Mapping[tuple[str, int], list[bytes]]

SRV_TLS, SRV_STARTTLS = f"_xmpps-client._tcp.{DOMAIN}", f"_xmpp-client._tcp.{DOMAIN}"


def ipv4(address: str) -> bytes:
    return socket.inet_aton(address)


def srv(priority: int, port: int, target: str) -> bytes:
    return struct.pack(">HHH", priority, 1, port) + name_of(target)


def name_of(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class NameServer(asyncio.DatagramProtocol):
    """Answers from a zone; all other names do not exist (RFC 1035)."""

    def __init__(self, zone: Zone, *, silent: bool) -> None:
        self._zone = zone
        self._silent = silent
        self.questions: list[tuple[str, int]] = []
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end, labels = 12, []
        while size := data[end]:
            labels.append(data[end + 1 : end + 1 + size].decode())
            end += size + 1
        end += 1
        (kind,) = struct.unpack_from(">H", data, end)
        name = ".".join(labels).lower()
        self.questions.append((name, kind))
        if self._silent:
            return
        found = self._zone.get((name, kind), [])
        exists = found or any(known == name for known, _ in self._zone)
        head = data[:2] + struct.pack(">HHHHH", 0x8180 + (0 if exists else 3), 1, len(found), 0, 0)
        answers = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(record)) + record
            for record in found
        )
        self._transport.sendto(head + data[12 : end + 4] + answers, addr)


StartDNS = Callable[..., Awaitable[tuple[Directory, NameServer]]]


@pytest.fixture
async def dns() -> AsyncIterator[StartDNS]:
    """Return a function that starts a name server with a zone, and a directory that asks it."""
    opened: list[tuple[asyncio.BaseTransport, DNSResolver]] = []

    async def start(zone: Zone, *, silent: bool = False) -> tuple[Directory, NameServer]:
        transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: NameServer(zone, silent=silent), ("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        resolver = DNSResolver(nameservers=[f"127.0.0.1:{port}"], timeout=0.2, tries=1)
        opened.append((transport, resolver))
        return Directory(resolver), server

    yield start
    for transport, resolver in opened:
        transport.close()
        await resolver.close()


async def test_srv_records_in_order(dns: StartDNS) -> None:
    directory, _ = await dns(
        {
            (SRV_STARTTLS, SRV): [srv(20, 5222, "second.example"), srv(30, 5269, "third.example")],
            (SRV_TLS, SRV): [srv(10, 443, "first.example")],
            ("first.example", A): [ipv4("1.1.1.1")],
            ("second.example", A): [ipv4("1.0.0.1")],
            ("third.example", A): [ipv4("8.8.8.8")],
        }
    )
    assert await directory.servers(DOMAIN) == [
        ("xmpps-client", "first.example", "1.1.1.1", 443),
        ("xmpp-client", "second.example", "1.0.0.1", 5222),
        ("xmpp-client", "third.example", "8.8.8.8", 5269),
    ]


async def test_without_srv_records_the_domain_itself(dns: StartDNS) -> None:
    directory, _ = await dns({(DOMAIN, A): [ipv4("1.1.1.1")]})
    assert await directory.servers(DOMAIN) == [("", DOMAIN, "1.1.1.1", 5222)]


async def test_each_question_is_asked_once(dns: StartDNS) -> None:
    directory, server = await dns({(DOMAIN, A): [ipv4("1.1.1.1")]})
    for _ in range(5):
        await directory.servers(DOMAIN)
    assert server.questions.count((DOMAIN, A)) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1"])
async def test_private_addresses_are_not_contacted(dns: StartDNS, address: str) -> None:
    directory, _ = await dns(
        {(SRV_STARTTLS, SRV): [srv(1, 5222, "inside")], ("inside", A): [ipv4(address)]}
    )
    with pytest.raises(Deferred, match=f"{DOMAIN} leads to a private address \\({address}\\)"):
        await directory.servers(DOMAIN)


async def test_public_addresses_beside_private_ones(dns: StartDNS) -> None:
    directory, _ = await dns({(DOMAIN, A): [ipv4("192.168.1.1"), ipv4("1.1.1.1")]})
    assert await directory.servers(DOMAIN) == [("", DOMAIN, "1.1.1.1", 5222)]


async def test_addresses_as_domains() -> None:
    with pytest.raises(Deferred, match="private address"):
        await Directory().servers("127.0.0.1")
    with pytest.raises(Deferred, match="private address"):
        await Directory().servers("[::1]")


async def test_a_login_where_the_name_does_not_exist(dns: StartDNS, log_in: LogIn) -> None:
    directory, _ = await dns({})
    error = await refusal(log_in, None, address=None, directory=directory)
    assert type(error) is Transient
    assert str(error) == f"{DOMAIN} cannot be reached: its name does not resolve"


async def test_a_login_where_the_name_server_is_silent(dns: StartDNS, log_in: LogIn) -> None:
    directory, _ = await dns({}, silent=True)
    error = await refusal(log_in, None, address=None, directory=directory)
    assert type(error) is Transient
    assert "does not resolve" in str(error)


async def test_the_deadline_holds_for_dns_too(dns: StartDNS, log_in: LogIn) -> None:
    directory, _ = await dns({}, silent=True)
    began = monotonic()
    error = await refusal(log_in, None, address=None, directory=directory, deadline=0.1)
    assert monotonic() - began < 1
    assert str(error) == f"{DOMAIN} did not complete a login within 0.1 s"


async def test_a_login_to_a_private_address(
    dns: StartDNS, log_in: LogIn, xmpp_server: StartServer
) -> None:
    server = await xmpp_server(Peer.in_session)
    directory, _ = await dns(
        {
            (SRV_STARTTLS, SRV): [srv(1, server.address[1], "inside")],
            ("inside", A): [ipv4("127.0.0.1")],
        }
    )
    error = await refusal(log_in, None, address=None, directory=directory, jid=JID)
    assert type(error) is Deferred
    assert "LASTWORD_XMPP_SERVERS" in str(error)
    assert server.peers == []


@pytest.mark.parametrize("jid", ["alice@localhost", "alice@127.0.0.1", "alice@[::1]"])
async def test_a_jid_that_names_this_machine(dns: StartDNS, log_in: LogIn, jid: str) -> None:
    directory, _ = await dns({})
    error = await refusal(log_in, None, address=None, jid=jid, directory=directory)
    assert type(error) is Deferred
    assert "leads to a private address" in str(error)
