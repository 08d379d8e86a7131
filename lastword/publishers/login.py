"""Publisher `login`: with the user's own password, one short session per status."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from pydantic import SecretStr

from lastword.breaker import Breaker
from lastword.errors import LastWordError
from lastword.jid import domain_of
from lastword.lingering import Lingering
from lastword.pace import Pace
from lastword.post import Post
from lastword.publishers import presence, resumption
from lastword.publishers.addresses import server_addresses
from lastword.publishers.base import MIXED, Confirmation, Mixed, Publisher, check_xml
from lastword.publishers.carriers import Carriers
from lastword.publishers.client import Client
from lastword.publishers.disco import Disco
from lastword.publishers.dns import Directory
from lastword.publishers.lingering_presence import LingeringPresence, saved_for
from lastword.publishers.login_line import LoginLine
from lastword.publishers.login_turns import LoginTurns
from lastword.publishers.reopening import reopened
from lastword.publishers.resumption import Saved
from lastword.publishers.session import full_jid, xmpp_session
from lastword.publishers.shared_status import SharedStatus
from lastword.trials import Begin, Trials
from models import Account

log = logging.getLogger(__name__)


class LoginSession:
    """The user's session: by the carriers that stay, and by presence without a shared status.

    Args:
        client: in session.
        disco: what servers can do.
        account: the row, detached; see `Carriers`.
        shown: our presence.
    """

    def __init__(
        self, client: Client, disco: Disco, account: Account, shown: LingeringPresence
    ) -> None:
        self._client = client
        self._line = LoginLine(client)
        self._disco = disco
        self._account = account
        self._carriers = Carriers(self._line, account, has_shared=False)
        self._presence = shown
        self._status = shown.status

    async def current(self) -> str | Mixed | None:
        """Return the text that the server holds. See `Session.current`.

        Raises:
            Transient: the server did not answer, or cannot just now.
        """
        features = await self._disco.features(self._client.domain, self._line.ask)
        if SharedStatus.NS in features:
            self._carriers = Carriers(self._line, self._account, has_shared=True)
        is_held = bool((self._account.pep_memory or {}).get("held"))
        text = await self._carriers.current()
        # Words for our presence to stay behind with: those of PEP, where it has some.
        self._status = None
        if text is MIXED or self._carriers.is_shared:
            return text
        if not text and not is_held and self._presence.status:
            # A server may have no PEP; but one that was not asked yet, for this choice, is asked.
            text = self._presence.status if self._carriers.is_settled else MIXED
        self._status = None if text is MIXED else text
        return text

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
            await self._presence.show(status)
            self._status = status
        held = await self._carriers.set(status, post)
        names = [*held.carriers, *([] if self._carriers.is_shared else [presence.NAME])]
        return Confirmation("+".join(names), "; ".join(held.notices))

    async def leave(self) -> None:
        """Leave our presence behind with the status, or take leave of the contacts.

        Raises:
            Transient: see `LingeringPresence.leave`.
        """
        await self._presence.leave(self._status)


class Login(Publisher):
    """Opens sessions for accounts that gave us their password.

    Args:
        tls: decides which certificates are trusted.
        open_secret: returns an account's password, or raises Rejected.
        servers: where to connect, by domain, instead of what DNS says; see `server_addresses`.
        deadline: seconds for one login.
        answer_deadline: seconds for the server to answer one request.
        logins: so many at once.
        directory: finds the servers of all other domains.
        lingering: what is remembered of sessions that stay between runs; None: none stays.
        trials: notes first logins; None: they are not noted.

    Raises:
        Systemic: `servers` is malformed.
    """

    def __init__(  # noqa: PLR0913 (what all logins share comes along)
        self,
        *,
        tls: ssl.SSLContext,
        open_secret: Callable[[Account], SecretStr],
        servers: Mapping[str, str],
        deadline: float,
        answer_deadline: float,
        logins: int,
        directory: Directory | None = None,
        lingering: Lingering | None = None,
        trials: Trials | None = None,
    ) -> None:
        self._tls = tls
        self._open_secret = open_secret
        self._addresses = server_addresses(servers)
        self._deadline = deadline
        self._answer_deadline = answer_deadline
        self._logins = LoginTurns(logins)
        self._breaker = Breaker()
        self.pace = Pace()
        self._directory = directory or Directory()
        self._lingering = lingering
        self._trials = trials
        self._disco = Disco()

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator[LoginSession]:
        """Log in as the account's user; see `xmpp_session` for what may be raised.

        What stays behind is kept as the account's session memory, for the caller to save.

        Raises:
            LastWordError: no session came about.
        """
        async with self._client(account) as client:
            shown = LingeringPresence(client, account, self._lingering)
            session = LoginSession(client, self._disco, account, shown)
            yield session
            await session.leave()

    @asynccontextmanager
    async def _client(self, account: Account) -> AsyncIterator[Client]:
        domain = domain_of(account.jid)
        full_jid(account.jid, "any")  # before the password is opened
        password = self._open_secret(account)

        def log_in(
            *, saved: Saved | None = None, resource: str | None = None
        ) -> AbstractAsyncContextManager[Client]:
            return xmpp_session(
                account.jid,
                password,
                tls=self._tls,
                address=self._addresses.get(domain),
                deadline=self._deadline,
                answer_deadline=self._answer_deadline,
                logins=self._turn(account, domain),
                directory=self._directory,
                resource=resource,
                saved=saved,
            )

        saved = saved_for(account, self._lingering)
        async with self._breaker.watching(domain), reopened(log_in, saved) as client:
            yield client

    async def withdraw(self, account: Account) -> None:
        """End the session that lingers, if one does. See `Publisher.withdraw`."""
        if not saved_for(account, self._lingering):
            return
        try:
            async with self._client(account) as client:
                if resumption.is_resumed(client):
                    presence.leave(client, None)
        except LastWordError as error:
            log.info("the session of account %s that lingers is left: %s", account.name, error)
        account.session_memory = None

    @asynccontextmanager
    async def _turn(self, account: Account, domain: str) -> AsyncIterator[Begin | None]:
        """Wait for one login's turn; see `xmpp_session`."""
        trial = self._trials.login(account) if self._trials else nullcontext()
        turn = self.pace.timing_within(f"{domain} (login)", self._logins.at(domain))
        async with turn, trial as begin:
            yield begin

    async def close(self) -> None:
        """Sessions share nothing that could be closed."""
