"""The notifier: an account of its own, from which the owners of others are told by message."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from secrets import token_hex
from xml.etree.ElementTree import Element

from pydantic import SecretStr
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from lastword.jid import domain_of
from lastword.publishers.addresses import server_addresses
from lastword.publishers.base import check_xml
from lastword.publishers.client import Client
from lastword.publishers.dns import Directory
from lastword.publishers.login_line import LoginLine
from lastword.publishers.session import xmpp_session

_PING = "{urn:xmpp:ping}ping"


class Messenger:
    """The notifier in session.

    Args:
        client: in session.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._line = LoginLine(client)
        self._sent: set[str] = set()
        self.returned: set[str] = set()
        """The ids of messages that came back: a server, ours or the owner's, could not deliver."""
        self._more = asyncio.Event()
        client.register_handler(
            Callback("Undelivered", StanzaPath("message@type=error"), self._undelivered)
        )

    async def send(self, jid: str, body: str) -> str:
        """Send a message, and return once the notifier's server has taken it.

        It asks for nothing but to be kept until it is read: type chat, and a body (RFC 6121, 5.2).

        Args:
            jid: whom to, bare.
            body: what it says.

        Returns:
            Its id; where our own server cannot deliver it, it is among `returned` by then.

        Raises:
            Transient: the server did not say that it has taken it.
        """
        check_xml(body)
        message = self._client.make_message(jid, body, mtype="chat")
        message["id"] = number = token_hex(8)
        self._sent.add(number)
        message.send()
        # A server deals with what a client sends in its order (RFC 6120, 10.1).
        await self._line.ask("get", Element(_PING), self._client.domain)
        return number

    async def all_returned(self, numbers: AbstractSet[str]) -> None:
        """Wait until these messages have come back."""
        while not numbers <= self.returned:
            self._more.clear()
            await self._more.wait()

    def _undelivered(self, message: StanzaBase) -> None:
        # Only what was sent here: a message of type error may come from anybody.
        if message["id"] in self._sent:
            self.returned.add(message["id"])
            self._more.set()


class Notifier:
    """Opens one session at a time for messages to owners.

    Args:
        jid: its own, bare and normalised.
        password: its own.
        mark: by which this JID and password are known again.
        tls: decides which certificates are trusted.
        servers: where to connect, by domain, instead of what DNS says; see `server_addresses`.
        deadline: seconds for the login.
        answer_deadline: seconds for the server to answer one request.

    Raises:
        Systemic: `servers` is malformed.
    """

    def __init__(
        self,
        jid: str,
        password: SecretStr,
        *,
        mark: str,
        tls: ssl.SSLContext,
        servers: Mapping[str, str],
        deadline: float,
        answer_deadline: float,
    ) -> None:
        self.domain = domain_of(jid)
        self.mark = mark
        self._jid = jid
        self._password = password
        self._tls = tls
        self._address = server_addresses(servers).get(self.domain)
        self._deadline = deadline
        self._answer_deadline = answer_deadline

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Messenger]:
        """Log in, without presence: nobody sees it online; see `xmpp_session` for what is raised.

        Raises:
            LastWordError: no session came about.
        """
        async with xmpp_session(
            self._jid,
            self._password,
            tls=self._tls,
            address=self._address,
            deadline=self._deadline,
            answer_deadline=self._answer_deadline,
            logins=asyncio.Semaphore(1),
            directory=Directory(),
        ) as client:
            yield Messenger(client)
