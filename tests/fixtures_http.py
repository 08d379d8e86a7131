"""Servers on loopback that answer as told, byte by byte, and clients for them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import trustme

from lastword.eligibility import Rules
from lastword.errors import LastWordError
from lastword.post import Post
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account
from models.types import now

RULES = Rules(now=now(), max_age=timedelta(days=36_500))
"""Of an account that takes posts of any age."""

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each connection as told, and counts them."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connections = 0
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left, as it should
        finally:
            writer.close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/feed.xml"


Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(answer: Answer, tls: ssl.SSLContext | None = None) -> Server:
            server = Server(answer)
            listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
            await stack.enter_async_context(listening)
            server.port = listening.sockets[0].getsockname()[1]
            return server

        yield start


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def tls_for(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    def context(name: str, **more: Any) -> ssl.SSLContext:  # noqa: ANN401
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, **more).configure_cert(server)
        return server

    return context


@pytest.fixture
def client(trusting: ssl.SSLContext) -> Callable[..., GuardedClient]:
    def make(*servers: Server, **more: Any) -> GuardedClient:  # noqa: ANN401
        allowed = frozenset(server.host for server in servers)
        settings = Settings.model_validate({"allow_hosts": allowed, "http_deadline": 10} | more)
        return GuardedClient(settings, trusting)

    return make


Client = Callable[..., GuardedClient]


async def head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def respond(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


def once(response: bytes) -> Answer:
    """Answer each request on a connection with the same bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await head(reader)
            writer.write(response)
            await writer.drain()

    return answer


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@asynccontextmanager
async def failing(
    client: GuardedClient, kind: type[LastWordError], url: str
) -> AsyncIterator[pytest.ExceptionInfo[LastWordError]]:
    with pytest.raises(kind) as caught:
        async with client:
            await client.get(url)
    assert type(caught.value) is kind
    yield caught


async def refusal(client: GuardedClient, kind: type[LastWordError], url: str) -> str:
    """Fetch, expect an error of exactly this kind, and return its message."""
    async with failing(client, kind, url) as caught:
        return str(caught.value)
    raise AssertionError


async def newest(source: Source, account: Account, rules: Rules = RULES) -> Post | None:
    """Return the post that a source chooses."""
    return (await source.latest(account, rules)).post
