"""Publisher `login`: with the user's own password, one short session per status."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from lastword.breaker import Breaker
from lastword.errors import Systemic
from lastword.jid import domain_of
from lastword.pace import Pace
from lastword.post import Post
from lastword.publishers import presence
from lastword.publishers.base import Confirmation, check_xml
from lastword.publishers.carriers import Carriers
from lastword.publishers.client import Client
from lastword.publishers.disco import Disco
from lastword.publishers.dns import Directory
from lastword.publishers.login_line import LoginLine
from lastword.publishers.session import xmpp_session
from lastword.publishers.shared_status import SharedStatus
from models import Account


class LoginSession:
    """The user's session: by the carriers that stay, and by presence without a shared status.

    Args:
        client: in session.
        disco: what servers can do.
        account: the row, detached; see `Carriers`.
    """

    def __init__(self, client: Client, disco: Disco, account: Account) -> None:
        self._client = client
        self._line = LoginLine(client)
        self._disco = disco
        self._account = account
        self._carriers = Carriers(self._line, account, has_shared=False)
        self._is_shown = False
        self._status: str | None = None

    async def current(self) -> str | None:
        """Return the text that the server holds, or None.

        Raises:
            Transient: the server did not answer, or cannot just now.
        """
        features = await self._disco.features(self._client.domain, self._line.ask)
        if SharedStatus.NS in features:
            self._carriers = Carriers(self._line, self._account, has_shared=True)
        return await self._carriers.current()

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        """Set the status, or clear it with None; return once the server has confirmed.

        `current` comes before.

        Raises:
            Transient: the server did not confirm.
            Rejected, Deferred: it would harm what is the user's own; see `Carriers.check`.
            Defect: the status was not cleaned.
        """
        check_xml(status)
        if status is not None:
            await self._carriers.check()
        if not self._carriers.is_shared:
            # Presence first: only then do all servers tell contacts of what PEP has.
            await presence.show(self._client, status)
            self._is_shown, self._status = True, status
        held = await self._carriers.set(status, post)
        names = [*held.carriers, *([presence.NAME] if self._is_shown else [])]
        return Confirmation("+".join(names), "; ".join(held.notices))

    def leave(self) -> None:
        """Take leave of the contacts, where they saw us come."""
        if self._is_shown and not self._client.lost:
            presence.leave(self._client, self._status)


class Login:
    """Opens sessions for accounts that gave us their password.

    Args:
        tls: decides which certificates are trusted.
        open_secret: returns an account's password, or raises Rejected.
        servers: `host:port` to connect to, by domain, instead of what DNS says.
        deadline: seconds for one login.
        answer_deadline: seconds for the server to answer one request.
        logins: so many at once.
        directory: finds the servers of all other domains.

    Raises:
        Systemic: `servers` is malformed.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        open_secret: Callable[[Account], str],
        servers: Mapping[str, str],
        deadline: float,
        answer_deadline: float,
        logins: int,
        directory: Directory | None = None,
    ) -> None:
        self._tls = tls
        self._open_secret = open_secret
        self._addresses = {name.lower(): _address(name, at) for name, at in servers.items()}
        self._deadline = deadline
        self._answer_deadline = answer_deadline
        self._logins = asyncio.Semaphore(logins)
        self._breaker = Breaker()
        self.pace = Pace()
        self._directory = directory or Directory()
        self._disco = Disco()

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator[LoginSession]:
        """Log in as the account's user; see `xmpp_session` for what may be raised.

        Raises:
            LastWordError: no session came about.
        """
        domain = domain_of(account.jid)
        password = self._open_secret(account)
        async with (
            self._breaker.watching(domain),
            xmpp_session(
                account.jid,
                password,
                tls=self._tls,
                address=self._addresses.get(domain),
                deadline=self._deadline,
                answer_deadline=self._answer_deadline,
                logins=self.pace.timing_within(f"{domain} (login)", self._logins),
                directory=self._directory,
            ) as client,
        ):
            session = LoginSession(client, self._disco, account)
            yield session
            session.leave()

    async def close(self) -> None:
        """Sessions share nothing that could be closed."""


def _address(domain: str, server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise Systemic(f"LASTWORD_XMPP_SERVERS has {server!r} for {domain}: write host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
