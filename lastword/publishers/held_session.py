"""A session that is kept: one account's, over as many connections as it takes."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from secrets import token_hex
from xml.etree.ElementTree import Element

from pydantic import SecretStr
from slixmpp.exceptions import IqError

from lastword.errors import Transient
from lastword.publishers import presence
from lastword.publishers.carriers import Carriers
from lastword.publishers.disco import Disco
from lastword.publishers.dns import Directory
from lastword.publishers.login_line import LoginLine
from lastword.publishers.managed import ManagedClient, Resumption
from lastword.publishers.pep import NONE
from lastword.publishers.returning import return_messages
from lastword.publishers.session import check_password, check_tls, full_jid
from lastword.publishers.shared_status import SharedStatus
from lastword.trials import Begin
from models import Account

_LEAVE = 2.0
_TLS_BUFFER = 16 << 10
_PING = "{urn:xmpp:ping}ping"


def use_small_buffers() -> None:
    """Make asyncio read TLS in small pieces, in all of this process.

    It sets 256 KiB aside for each connection, more than all else that a session needs; ours
    wait for a few hundred bytes an hour.
    """
    SSLProtocol.max_size = _TLS_BUFFER


class HeldSession:
    """Made once per account: `open`, then `show` and `news`, and `open` again when it was lost.

    Args:
        jid: bare JID.
        open_password: returns the password, or raises Rejected; it is not kept.
        tls: decides which certificates are trusted.
        address: where to connect, see `Client.log_in`; None: where DNS says.
        deadline: seconds for one login.
        answer_deadline: seconds for the server to answer one request.
        directory: finds servers where no address is given.
    """

    def __init__(
        self,
        jid: str,
        open_password: Callable[[], SecretStr],
        *,
        tls: ssl.SSLContext,
        address: tuple[str, int] | None,
        deadline: float,
        answer_deadline: float,
        directory: Directory,
    ) -> None:
        check_tls(tls)
        self._jid = jid
        self._full_jid: str | None = None
        self._open_password = open_password
        self._tls = tls
        self._address = address
        self._deadline = deadline
        self._answer_deadline = answer_deadline
        self._directory = directory
        self._client: ManagedClient | None = None
        self._resumption: Resumption | None = None
        self._is_shown = False

    async def open(self, begin: Begin | None = None) -> bool:
        """Log in, and resume the session if the server still has it.

        Args:
            begin: awaited before the password is sent.

        Returns:
            Whether it was resumed: what was shown has been shown all the time.

        Raises:
            LastWordError: see `xmpp_session`.
        """
        await self.drop()
        # The same resource each time: a session that the server still has makes way.
        self._full_jid = self._full_jid or full_jid(self._jid, f"lastword-{token_hex(4)}")
        password = self._open_password()
        check_password(password)
        client = ManagedClient(
            self._full_jid,
            password,
            tls=self._tls,
            directory=self._directory,
            answer_deadline=self._answer_deadline,
            resumption=self._resumption,
        )
        return_messages(client)
        try:
            await client.log_in(self._address, self._deadline, begin)
        except BaseException:
            if client.is_resuming:  # Prosody says nothing where too much has queued up
                self._resumption = None
            await client.drop()
            raise
        client.forget_password()
        # A server may have chosen another; a session that is resumed goes on under that one.
        self._full_jid = client.boundjid.full
        self._client = client
        self._is_shown = self._is_shown and client.has_resumed
        return client.has_resumed

    async def show(self, status: str | None) -> None:
        """Show a status, or none, and return once the server has confirmed.

        Raises:
            Transient: it did not, or there is no session.
        """
        client = self._in_session()
        if status:
            self._is_shown = True
            await presence.show(client, status)
        else:
            if self._is_shown:
                presence.leave(client, None)
            await self.check()
            self._is_shown = False

    async def take_back(self, left: Account) -> None:
        """Clear what else on the server holds our words, from when it was another publisher's turn.

        Args:
            left: an account that remembers what was published; its choice of PEP is changed.

        Raises:
            LastWordError: the server did not confirm.
        """
        left.pep = NONE
        line = LoginLine(self._in_session())
        features = await Disco().features(line.domain, line.ask)
        carriers = Carriers(line, left, has_shared=SharedStatus.NS in features)
        await carriers.current()
        await carriers.set(None, None)

    async def check(self) -> None:
        """Return if the server is still there; all that was sent before has reached it.

        Raises:
            Transient: it is not.
        """
        client = self._in_session()
        request = client.Iq(stype="get", sto=client.domain)
        request.xml.append(Element(_PING))
        try:
            await client.answer_to(request.send())
        except IqError:
            return  # an answer all the same
        except Transient as error:
            client.fail(error)
            raise

    def news(self) -> "asyncio.Future[None]":
        """Return a future for the caller to fulfil; it fails when the session is lost."""
        client = self._in_session()
        return client.while_alive(client.loop.create_future())

    async def leave(self, status: str | None) -> None:
        """Take leave of contacts and server within some seconds; these are the last words."""
        client = self._client
        if client and not client.lost:
            if self._is_shown:
                presence.leave(client, status)
            await client.leave(min(_LEAVE, self._answer_deadline))
        await self.drop()

    async def drop(self) -> None:
        """Close the connection at once; where there was a session, the server may keep it."""
        client, self._client = self._client, None
        if client:
            kept = client.resumption
            self._resumption = kept if kept and kept.id else None
            await client.drop()

    def _in_session(self) -> ManagedClient:
        if self._client is None:
            raise Transient("there is no session")
        return self._client
