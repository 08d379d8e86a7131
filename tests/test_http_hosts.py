"""Whom the guarded client asks: public hosts with a good certificate, and nobody else."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trustme

from lastword.errors import Rejected, Systemic, Transient
from lastword.network import HOSTS
from lastword.sources import politeness
from lastword.sources.hosts import Hosts, is_public, parse_url
from tests.fixtures_http import Client, Serve, once, refusal, respond, silence


async def test_certificate_for_another_name(
    serve: Serve, client: Client, tls_for: Callable[..., ssl.SSLContext]
) -> None:
    server = await serve(once(respond()), tls_for("other.example"))
    message = await refusal(client(server), Transient, f"https://{server.host}/")
    assert message.startswith(f"{server.host} has a certificate that cannot be trusted: ")


async def test_expired_certificate(
    serve: Serve, client: Client, tls_for: Callable[..., ssl.SSLContext]
) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    tls = tls_for("127.0.0.1", not_before=past - timedelta(days=1), not_after=past)
    server = await serve(once(respond()), tls)
    message = await refusal(client(server), Transient, f"https://{server.host}/")
    assert "certificate has expired" in message


async def test_unknown_authority(serve: Serve, client: Client) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    server = await serve(once(respond()), tls)
    message = await refusal(client(server), Transient, f"https://{server.host}/")
    assert "cannot be trusted" in message


async def test_no_tls_at_all(serve: Serve, client: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    server = await serve(answer)
    message = await refusal(client(server), Transient, f"https://{server.host}/")
    assert message == f"{server.host} does not manage to speak TLS with us"


LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "localhost",
    "0.0.0.0",  # noqa: S104
    "0",
]
PRIVATE = [
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "[fe80::1]",
    "[fd00::1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("host", LOOPBACK + PRIVATE)
async def test_private_addresses(serve: Serve, client: Client, host: str) -> None:
    server = await serve(silence)
    message = await refusal(client(), Rejected, f"https://{host}:{server.port}/feed.xml?token=x")
    assert message.startswith(f"{host}:{server.port} leads to a private address (")
    assert server.connections == 0  # not even a knock at the door


@pytest.mark.parametrize("host", LOOPBACK)
async def test_redirect_to_private_address(serve: Serve, client: Client, host: str) -> None:
    private = await serve(silence)
    location = f"Location: https://{host}:{private.port}/"
    public = await serve(once(respond(b"", location, status="301 Moved Permanently")))
    message = await refusal(client(public), Rejected, public.url)
    assert "leads to a private address (" in message
    assert private.connections == 0


async def test_name_that_changes_between_check_and_use(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(*_: object) -> None:
        """Pass, as a name does that was public a moment ago."""

    monkeypatch.setattr(Hosts, "check", check)
    requests = []

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        requests.append(await reader.read())

    server = await serve(answer)
    for host in ("localhost", "127.0.0.1"):
        message = await refusal(client(), Rejected, f"http://{host}:{server.port}/")
        assert message == (
            f"{host}:{server.port} leads to a private address (127.0.0.1):"
            " only public hosts are asked"
        )
    assert b"".join(requests) == b""


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://blog.example/", "plain http"),
        ("ftp://blog.example/", "no web address"),
        ("file:///etc/passwd", "no web address"),
        ("https://name:password@blog.example/", "no web address"),
        ("https:", "no web address"),
    ],
)
async def test_redirect_elsewhere(serve: Serve, client: Client, location: str, words: str) -> None:
    server = await serve(once(respond(b"", f"Location: {location}", status="302 Found")))
    assert words in await refusal(client(server), Rejected, server.url)


@pytest.mark.parametrize("host", ["0177.0.0.1", "[::1"])
async def test_redirect_to_no_address_at_all(serve: Serve, client: Client, host: str) -> None:
    private = await serve(silence)
    location = f"Location: https://{host}:{private.port}/"
    server = await serve(once(respond(b"", location, status="302 Found")))
    assert "garbled" in await refusal(client(server), Transient, server.url)
    assert private.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "feed.xml",
        "blog.example/feed.xml",
        "http://blog.example/",
        "ftp://blog.example/",
        "https:///feed.xml",
        "https://name:password@blog.example/",
        "https://blog.example:0/",
        "https://blog.example:70000/",
        "https://exa mple/",
        "https://a..b/",
        "https://.b/",
        "https://b../",
        "https://./",
        "https://" + ".".join(["a" * 60] * 5),
        f"https://{'a' * 64}.example/",
        "https://blog.example\n.evil.example/",
        "https://[::1",
        "https://0177.0.0.1/",
        "https://h\\@evil/",
        "https://" + "a" * 70_000,
    ],
)
async def test_wrong_addresses(client: Client, url: str) -> None:
    message = await refusal(client(), Rejected, url)
    assert "password" not in message.replace("hold a name or password", "")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://blog.example./feed.xml", "https://blog.example/feed.xml"),
        ("HTTPS://BLOG.Example.:443/", "https://blog.example/"),
        ("https://blog.example.:8443/", "https://blog.example:8443/"),
        ("https://b\u00fccher.example./", "https://xn--bcher-kva.example/"),
        ("https://a_b.example/", "https://a_b.example/"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
    ],
)
def test_one_host_has_one_name(text: str, normal: str) -> None:
    assert str(parse_url(text)) == normal


async def test_allowed_pair_means_just_this_port(serve: Serve, client: Client) -> None:
    allowed, other = await serve(once(respond())), await serve(silence)
    message = await refusal(client(allowed), Rejected, f"https://{other.host}/")
    assert "private address" in message
    assert other.connections == 0


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # held, not listening: nobody else gets it meanwhile
        yield held.getsockname()[1]


async def test_refused(client: Client, closed_port: int) -> None:
    for host in ("127.0.0.1", "localhost"):
        pair = f"{host}:{closed_port}"
        http = client(allow_hosts=frozenset({pair}))
        assert await refusal(http, Transient, f"https://{pair}/x") == f"{pair} refuses connections"


async def test_where_no_host_answers_it_is_our_network(
    client: Client, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(politeness, "JITTER", 0)
    pairs = [f"127.0.0.{number}:{closed_port}" for number in range(1, HOSTS + 1)]
    http = client(allow_hosts=frozenset(pairs), http_deadline=1e-4)  # nobody would make it
    async with http:
        for pair in pairs[:-1]:
            with pytest.raises(Transient):
                await http.get(f"http://{pair}/")
        with pytest.raises(Systemic, match=f"none of {HOSTS} hosts answers"):
            await http.get(f"http://{pairs[-1]}/")


async def test_name_does_not_resolve(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)  # a real one would ask the network
    message = await refusal(client(), Transient, "https://blog.example/")
    assert message == "blog.example cannot be reached: its name does not resolve"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("64:ff9b::808:808", True),
        ("::ffff:8.8.8.8", False),
        ("fec0::1", False),
        ("240.0.0.1", False),
    ],
)
def test_is_public(address: str, *, public: bool) -> None:
    assert is_public(ip_address(address)) is public
