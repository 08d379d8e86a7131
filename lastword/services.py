"""What all accounts of a run share: one database, one HTTP client, two TLS contexts, one key."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from pydantic import SecretStr

from lastword.errors import Abandoned, Systemic
from lastword.host_turns import Turns
from lastword.jid import domain_of
from lastword.pace import HostPace, Pace, together
from lastword.publishers import build_publishers
from lastword.publishers.base import Publisher
from lastword.publishers.notifier import Notifier
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.sources import build_sources
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account
from models.database import Database

TURNS = 200
"""Accounts under way at once, whether each has a task run or many share one."""


@dataclass
class Services:
    """Made once per process and event loop, handed to every account.

    Attributes:
        settings: as read at the start.
        database: our own.
        http: the guarded client that the sources share.
        sources: by kind.
        publishers: by name.
        notifier: tells owners; None: not set up.
        until_the_end: entered contexts that last as long as the services.
        troubles: by what is out of action (see `Systemic.kind`; None: everything), set by the
            first account that meets something systemic; stops the others that it concerns.
        keyring: the database's own.
        turns: for accounts that share a task run: so many are under way at once.
        abandoned: set where nobody wants the work of this process any more.
        elsewhere: how long hosts took in other processes of the same run.
    """

    settings: Settings
    database: Database
    http: GuardedClient
    sources: Mapping[str, Source]
    publishers: Mapping[str, Publisher]
    until_the_end: AsyncExitStack
    notifier: Notifier | None = None
    troubles: dict[str | None, Systemic] = field(default_factory=dict)
    keyring: Keyring | None = None
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TURNS))
    abandoned: Abandoned | None = None
    elsewhere: list[HostPace] = field(default_factory=list)

    def trouble_with(self, account: Account) -> Systemic | None:
        """Return what stops such an account, or None."""
        kind = account.source.partition(":")[0]
        at = f"{account.publisher}:{domain_of(account.jid)}"
        return next((found for it in (None, kind, at) if (found := self.troubles.get(it))), None)

    def paces(self) -> list[HostPace]:
        """Return how long the hosts took until now, in all processes that we know of."""
        ways = [self.http, *self.publishers.values()]
        known = [pace for way in ways if isinstance(pace := getattr(way, "pace", None), Pace)]
        return together([host for pace in known for host in pace.hosts()] + self.elsewhere)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return a verifying client context for HTTPS; building one costs 37 ms, so it is shared.

    Raises:
        Systemic: the further certificates of the settings cannot be used.
    """
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Systemic(
                f"LASTWORD_CA_FILE {settings.ca_file} cannot be used ({error.strerror or error}):"
                " it takes a file of PEM certificates"
            ) from None
    return context


def xmpp_tls_context(settings: Settings) -> ssl.SSLContext:
    """Return a verifying client context for XMPP: one of its own, for httpx names HTTP in its own.

    What shares a port among protocols, or is strict, takes us for a browser by that (ALPN). With
    direct TLS we name XMPP (XEP-0368, section 3). With STARTTLS it says what is spoken all the
    same: a server with one set of TLS options for both ports takes it, and one that knows no ALPN
    ignores it (RFC 7301, section 3.1).

    Raises:
        Systemic: see `tls_context`.
    """
    context = tls_context(settings)
    context.set_alpn_protocols(["xmpp-client"])
    return context


@asynccontextmanager
async def open_services(settings: Settings, processes: int = 1) -> AsyncIterator[Services]:
    """Open what a run needs, and close it.

    Args:
        settings: as read at the start.
        processes: so many are at work on the run at a time; they share what hosts bear.

    Raises:
        Systemic: the key is missing or wrong.
        DatabaseTrouble: the database is missing, locked, or of another version.
    """
    is_shared = processes > 1
    if is_shared:
        settings = settings.model_copy(
            update={
                "host_concurrency": max(1, settings.host_concurrency // processes),
                "logins": max(1, settings.logins // processes),
            }
        )
    keyring = Keyring.load(settings)
    https, tls = tls_context(settings), xmpp_tls_context(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database))
        await keyring.check(database)
        turns = Turns(database, settings.host_rate, processes) if is_shared else None
        http = await stack.enter_async_context(GuardedClient(settings, https, turns))
        publishers = build_publishers(
            settings, tls, keyring.open_password, keyring, database, is_shared=is_shared
        )
        for publisher in publishers.values():
            stack.push_async_callback(publisher.close)
        yield Services(
            settings=settings,
            database=database,
            http=http,
            sources=build_sources(http),
            publishers=publishers,
            until_the_end=stack,
            notifier=_notifier(settings, tls, keyring),
            keyring=keyring,
        )


def _notifier(settings: Settings, tls: ssl.SSLContext, keyring: Keyring) -> Notifier | None:
    if not settings.notifier_jid or not settings.notifier_password:
        return None
    jid, password = settings.notifier_jid, settings.notifier_password
    return Notifier(
        jid,
        password,
        mark=keyring.mark(SecretStr(f"{jid}\n{password.get_secret_value()}")),
        tls=tls,
        servers=settings.xmpp_servers,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
    )


_current: ContextVar[Services] = ContextVar("services")


@contextmanager
def use(services: Services) -> Iterator[None]:
    """Make the services those of the present context."""
    token = _current.set(services)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Services:
    """Return the services of the present context."""
    return _current.get()
