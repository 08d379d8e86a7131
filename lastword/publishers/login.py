"""Publisher `login`: with the user's own password, one short session per status."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from lastword.breaker import Breaker
from lastword.errors import Defect, Systemic
from lastword.jid import domain_of
from lastword.publishers import pep, presence
from lastword.publishers.base import Confirmation
from lastword.publishers.client import Client
from lastword.publishers.dns import Directory
from lastword.publishers.session import xmpp_session
from models import Account

# XML 1.0, section 2.2: servers end the stream at anything else.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class LoginSession:
    """The user's session: presence first, so that every server tells contacts of PEP."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._is_shown = False
        self._status: str | None = None

    async def current(self) -> str | None:
        """Return the activity's text that the server holds, or None.

        Raises:
            Transient: the server did not answer, or cannot just now.
        """
        return await pep.current(self._client)

    async def set(self, status: str | None) -> Confirmation:
        """Set the status, or clear it with None; return once the server has confirmed.

        Raises:
            Transient: the server did not confirm.
            Defect: the status was not cleaned.
        """
        if status and (unfit := _NOT_XML.search(status)):
            raise Defect(f"the status has U+{ord(unfit[0]):04X} in it, which XMPP cannot carry")
        await presence.show(self._client, status)
        self._is_shown, self._status = True, status
        kept = await pep.publish(self._client, status)
        return Confirmation("pep+presence" if kept else "presence")

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
        self._directory = directory or Directory()

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
                logins=self._logins,
                directory=self._directory,
            ) as client,
        ):
            session = LoginSession(client)
            yield session
            session.leave()


def _address(domain: str, server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise Systemic(f"LASTWORD_XMPP_SERVERS has {server!r} for {domain}: write host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
