"""What tests of XMPP ask for: a private Prosody, scripted servers, logins that leave nothing."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import count
from time import monotonic
from typing import Any

import pytest
import trustme
from pydantic import SecretStr
from slixmpp.xmlstream import XMLStream

from demo.contact import Contact
from demo.prosody import Prosody
from lastword.errors import LastWordError
from lastword.publishers.client import Client
from lastword.publishers.dns import Directory
from lastword.publishers.login import Login
from lastword.publishers.resumption import Saved
from lastword.publishers.session import xmpp_session
from models import Account
from tests.xmpp_peer import DOMAIN, JID, PASSWORD, Script, XMPPServer

PEOPLE = 60
MANY = [f"one-of-many-{number}" for number in range(50)]
CONTACT = "contact"

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

        async def start(
            script: Script, context: ssl.SSLContext = server_tls, *, direct_tls: bool = False
        ) -> XMPPServer:
            server = XMPPServer(script, context)
            listening = await asyncio.start_server(
                server, "127.0.0.1", 0, ssl=context if direct_tls else None
            )
            await stack.enter_async_context(listening)
            server.address = listening.sockets[0].getsockname()[:2]
            return server

        yield start


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that the block leaves no task of slixmpp's or ours, and no complaint to the loop."""
    loop = asyncio.get_running_loop()
    # Of witnesses who were there before.
    tasks_before = asyncio.all_tasks()
    timers_before = set(loop._scheduled)  # type: ignore[attr-defined]
    complaints: list[dict[str, Any]] = []
    before = loop.get_exception_handler()

    def note(_: object, context: dict[str, Any]) -> None:
        if "incoming" not in context["message"]:  # of a scripted server, in asyncio's debug mode
            complaints.append(context)

    loop.set_exception_handler(note)
    try:
        yield
    finally:  # an error of the block must not keep us from looking
        left = [task for task in asyncio.all_tasks() - tasks_before if _is_ours(task)]
        new_timers = set(loop._scheduled) - timers_before  # type: ignore[attr-defined]
        timers = [timer for timer in new_timers if _is_slixmpps(timer)]
        loop.set_exception_handler(before)
        assert left == []
        assert timers == []
        assert complaints == []


def _is_ours(task: "asyncio.Task[Any]") -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and re.search(r"/slixmpp/|/lastword/", code.co_filename) is not None


def _is_slixmpps(timer: asyncio.TimerHandle) -> bool:
    owner = getattr(timer._callback, "__self__", None)  # type: ignore[attr-defined]
    return isinstance(owner, XMLStream) and not timer.cancelled()


LogIn = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def log_in(tls: ssl.SSLContext) -> LogIn:
    """Return a function that opens a session with short deadlines and checks what is left."""

    @asynccontextmanager
    async def start(
        address: tuple[str, int] | None,
        *,
        jid: str = JID,
        password: str = PASSWORD,
        deadline: float = 5,
        answer_deadline: float = 5,
        directory: Directory | None = None,
        saved: Saved | None = None,
    ) -> AsyncIterator[Client]:
        async with (
            nothing_left(),
            xmpp_session(
                jid,
                SecretStr(password),
                tls=tls,
                address=address,
                deadline=deadline,
                answer_deadline=answer_deadline,
                logins=asyncio.Semaphore(1),
                directory=directory or Directory(),
                saved=saved,
            ) as client,
        ):
            yield client

    return start


async def refusal(
    log_in: LogIn,
    server: XMPPServer | None,
    **kwargs: Any,  # noqa: ANN401 (those of `log_in`)
) -> LastWordError:
    """Try to log in; return the error that says why not, and check that it is a good one."""
    began = monotonic()
    with pytest.raises(LastWordError) as caught:
        async with log_in(server.address if server else kwargs.pop("address"), **kwargs):
            pass
    assert monotonic() - began < kwargs.get("deadline", 5) + 2
    assert PASSWORD not in str(caught.value)
    assert "alice" not in str(caught.value)  # messages end up in logs
    if server:
        await server.over()
    return caught.value


@pytest.fixture(scope="session")
def prosody() -> Iterator[Prosody]:
    """A Prosody with people who have one contact in common."""
    people = [f"person{number}" for number in range(PEOPLE)]
    with Prosody(
        domain=DOMAIN,
        users=dict.fromkeys([*people, *MANY, CONTACT, "stranger"], PASSWORD),
        contacts={CONTACT: [*people, *MANY]},
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


def account(name: str) -> Account:
    return Account(name=name, source="feed:https://blog.example/", jid=f"{name}@{DOMAIN}")


def tls_for(prosody: Prosody) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(prosody.ca_file))


def login_to(
    address: tuple[str, int],
    tls: ssl.SSLContext,
    password: str = PASSWORD,
    answer_deadline: float = 20,
) -> Login:
    """Return the publisher, for accounts that all have the same password."""
    host, port = address
    return Login(
        tls=tls,
        open_secret=lambda _: SecretStr(password),
        servers={DOMAIN: f"{host}:{port}"},
        deadline=20,
        answer_deadline=answer_deadline,
        logins=50,
    )


@pytest.fixture
def login(prosody: Prosody) -> Login:
    return login_to(prosody.address, tls_for(prosody))
