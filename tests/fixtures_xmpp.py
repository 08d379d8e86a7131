"""XMPP servers for tests: a private Prosody, and servers that speak just enough to misbehave."""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from time import monotonic
from typing import Any

import pytest
import trustme

from demo.contact import Contact
from demo.prosody import Prosody
from lastword.errors import LastWordError
from lastword.publishers.client import Client
from lastword.publishers.dns import Directory
from lastword.publishers.session import xmpp_session

DOMAIN = "chat.example"
JID = f"alice@{DOMAIN}"
PASSWORD = "correct horse"
PEOPLE = 80
CONTACT = "contact"

PLAIN = "<mechanism>PLAIN</mechanism>"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"


def mechanisms(*names: str) -> str:
    inner = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    return f"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{inner}</mechanisms>"


def failure(condition: str, text: str = "") -> str:
    words = f"<text>{text}</text>" if text else ""
    return f"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/>{words}</failure>"


def stream_error(condition: str, text: str = "", inner: str = "") -> str:
    ns = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'"
    words = f"<text {ns}>{text}</text>" if text else ""
    head = f"<{condition} {ns}>{inner}</{condition}>"
    return f"<stream:error>{head}{words}</stream:error></stream:stream>"


class Peer:
    """The server's side of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext
    ) -> None:
        self.received = b""
        self.writer = writer
        self._reader = reader
        self._tls = tls
        self._read_to = 0

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def expect(self, pattern: str) -> "re.Match[bytes]":
        """Read until the pattern comes; what was matched before does not count again."""
        while not (match := re.compile(pattern.encode()).search(self.received, self._read_to)):
            chunk = await self._reader.read(65536)
            if not chunk:
                raise EOFError(f"{pattern} did not come, but {self.received!r}")
            self.received += chunk
        self._read_to = match.end()
        return match

    async def end(self, *, polite: bool = True) -> None:
        """Read until the client closes; if polite, close the stream where the client does."""
        with suppress(ConnectionError, ssl.SSLError):
            while chunk := await self._reader.read(65536):
                self.received += chunk
                if polite and self.received.endswith(b"</stream:stream>"):
                    self.send("</stream:stream>")

    async def header(self, features: str) -> None:
        """Answer a stream header with ours and these features."""
        await self.expect(r"<stream:stream[^>]*>")
        self.send(
            f"<?xml version='1.0'?><stream:stream from='{DOMAIN}' id='1' version='1.0'"
            " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
            f"<stream:features>{features}</stream:features>"
        )

    async def starttls(self) -> None:
        await self.header(STARTTLS)
        await self.expect("<starttls[^>]*/>")
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await self.writer.start_tls(self._tls)

    async def encrypted(self, features: str) -> None:
        """Come as far as TLS, and then offer these features."""
        await self.starttls()
        await self.header(features)

    async def logged_in(self, features: str = BIND) -> None:
        """Come as far as a login by PLAIN, and then offer these features."""
        await self.encrypted(mechanisms("PLAIN"))
        await self.expect("<auth[^>]*>[^<]*</auth>")
        self.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        await self.header(features)

    async def in_session(self, jid: str = f"{JID}/x") -> None:
        """Come as far as a session."""
        await self.logged_in()
        request = await self.expect(r"<iq[^>]*id=\"(\w+)\"[^>]*><bind.*?</iq>")
        self.send(
            f"<iq type='result' id='{request[1].decode()}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"
        )

    def auths(self) -> list[str]:
        """Return the mechanisms that the client tried."""
        return re.findall(r"<auth [^>]*mechanism=\"([^\"]+)\"", self.received.decode())

    def sent_password(self) -> bool:
        token = base64.b64encode(f"\0alice\0{PASSWORD}".encode())
        return token in self.received or PASSWORD.encode() in self.received


Script = Callable[[Peer], Awaitable[Any]]


class XMPPServer:
    """Acts by a script towards each client."""

    def __init__(self, script: Script, tls: ssl.SSLContext) -> None:
        self._script = script
        self._tls = tls
        self.peers: list[Peer] = []
        self.address = ("127.0.0.1", 0)
        self._over: list[asyncio.Future[None]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, self._tls)
        self.peers.append(peer)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over.append(over)
        try:
            await self._script(peer)
            await peer.end()
        except (ConnectionError, EOFError, ssl.SSLError):
            pass  # the client has left: what it sent meanwhile is what tests look at
        except asyncio.CancelledError:
            over.set_exception(AssertionError(f"the client stays: {peer.received!r}"))
            over.exception()
            raise
        finally:
            writer.close()
            if not over.done():
                over.set_result(None)

    async def over(self) -> None:
        """Wait until all clients have closed their connections."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self._over)

    @property
    def peer(self) -> Peer:
        """The one client that came."""
        assert len(self.peers) == 1
        return self.peers[0]


StartServer = Callable[..., Awaitable[XMPPServer]]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    return serving(authority.issue_cert(DOMAIN))


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """What our side trusts."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
async def xmpp_server(server_tls: ssl.SSLContext) -> AsyncIterator[StartServer]:
    async with AsyncExitStack() as stack:

        async def start(script: Script, context: ssl.SSLContext = server_tls) -> XMPPServer:
            server = XMPPServer(script, context)
            listening = await asyncio.start_server(server, "127.0.0.1", 0)
            await stack.enter_async_context(listening)
            server.address = listening.sockets[0].getsockname()[:2]
            return server

        yield start


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that the block leaves no task of slixmpp's or ours, and no complaint to the loop."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        yield
    finally:
        left = [task for task in asyncio.all_tasks() if _is_ours(task)]
        loop.set_exception_handler(before)
    assert left == []
    assert complaints == []


def _is_ours(task: "asyncio.Task[Any]") -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and re.search(r"/slixmpp/|/lastword/", code.co_filename) is not None


LogIn = Callable[..., Any]


@pytest.fixture
def log_in(tls: ssl.SSLContext) -> LogIn:
    """Return a function that opens a session with short deadlines and checks what is left."""

    @asynccontextmanager
    async def start(  # noqa: PLR0913
        address: tuple[str, int] | None,
        *,
        jid: str = JID,
        password: str = PASSWORD,
        deadline: float = 5,
        answer_deadline: float = 5,
        directory: Directory | None = None,
    ) -> AsyncIterator[Client]:
        async with (
            nothing_left(),
            xmpp_session(
                jid,
                password,
                tls=tls,
                address=address,
                deadline=deadline,
                answer_deadline=answer_deadline,
                logins=asyncio.Semaphore(1),
                directory=directory or Directory(),
            ) as client,
        ):
            yield client

    return start


async def refusal(log_in: LogIn, server: XMPPServer | None, **kwargs: Any) -> LastWordError:
    """Try to log in; return the error that says why not, and check that it is a good one."""
    began = monotonic()
    with pytest.raises(LastWordError) as caught:
        async with log_in(server.address if server else kwargs.pop("address"), **kwargs):
            pass
    assert monotonic() - began < kwargs.get("deadline", 5) + 1
    assert PASSWORD not in str(caught.value)
    if server:
        await server.over()
    return caught.value


@pytest.fixture(scope="session")
def prosody() -> Iterator[Prosody]:
    """A Prosody with people who have one contact in common."""
    people = [f"person{number}" for number in range(PEOPLE)]
    with Prosody(
        domain=DOMAIN,
        users={**dict.fromkeys([*people, CONTACT, "stranger"], PASSWORD)},
        contacts={CONTACT: people},
    ) as server:
        yield server


@pytest.fixture(scope="session")
def _numbers() -> "count[int]":
    return count()


@pytest.fixture
def person(prosody: Prosody, _numbers: "count[int]") -> str:
    """Return the name of somebody on Prosody whom no other test knows."""
    del prosody
    number = next(_numbers)
    assert number < PEOPLE
    return f"person{number}"


def witness(prosody: Prosody, name: str = CONTACT) -> Contact:
    return Contact(
        f"{name}@{prosody.domain}",
        PASSWORD,
        host=prosody.host,
        port=prosody.port,
        ca_file=prosody.ca_file,
    )
