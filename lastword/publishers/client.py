"""A client that logs in once: one attempt with one SASL mechanism, and one error where it fails.

slixmpp 1.17 by itself tries again for ever, waits for ever for silent servers, tries a refused
password again with other mechanisms, and takes for a session what it was offered without any
login.
"""

import asyncio
import ssl
from typing import Any
from xml.etree.ElementTree import Element

from pydantic import SecretStr
from slixmpp.features.feature_mechanisms.stanza import Response
from slixmpp.stanza import StreamFeatures
from slixmpp.xmlstream import StanzaBase

from lastword.errors import Deferred, LastWordError, Transient
from lastword.publishers import refusals
from lastword.publishers.addresses import DirectTLS
from lastword.publishers.dns import Directory, Record
from lastword.publishers.scram import MECHANISMS, QuickSCRAM, usable
from lastword.publishers.stream import FEATURES, Stream
from lastword.trials import Begin


class Client(Stream):
    """One login: `log_in` once, `leave` where all is well, then `drop`.

    Args:
        jid: full JID, valid.
        password: passes SASLprep.
        tls: verifies certificates and names; shared by all.
        directory: finds servers where no address is given.
        answer_deadline: seconds for the server to answer one request.
    """

    def __init__(
        self,
        jid: str,
        password: SecretStr,
        *,
        tls: ssl.SSLContext,
        directory: Directory,
        answer_deadline: float,
    ) -> None:
        super().__init__(
            jid,
            password,
            tls=tls,
            answer_deadline=answer_deadline,
            plugin_config={"feature_mechanisms": {"use_mechs": set(MECHANISMS)}},
        )
        self._directory = directory
        self._address_deadline = 0.0
        self._in_session: asyncio.Future[None] = self.while_alive(self.loop.create_future())
        self._unreached: LastWordError | None = None
        self._begin: Begin | None = None
        self.add_filter("out", _without_equals_sign)
        self.add_event_handler("connection_failed", self._not_reached)
        self.add_event_handler("ssl_invalid_chain", self._not_trusted)
        self.add_event_handler("no_auth", self._no_mechanism)
        self.add_event_handler("failed_auth", self._login_refused)
        self.add_event_handler("auth_success", self._accepted)
        self.add_event_handler("session_start", self._session_offered)
        self.add_event_handler("session_resumed", self._session_offered)

    async def log_in(
        self, address: tuple[str, int] | None, deadline: float, begin: Begin | None = None
    ) -> None:
        """Connect, log in, and return in session.

        Args:
            address: host and port to connect to, with STARTTLS unless it is a `DirectTLS`; None:
                where DNS says.
            deadline: seconds for all of it.
            begin: awaited once the server is known by its certificate, and before the password is
                sent; what it raises is the end of it.

        Raises:
            LastWordError: it did not come to a session.
        """
        self._begin = begin
        # An address that swallows packets must leave time for the next one.
        self._address_deadline = deadline / 3
        # With an address slixmpp would try TLS without STARTTLS first, on the same port.
        is_direct = isinstance(address, DirectTLS)
        self.enable_direct_tls = address is None or is_direct
        self.enable_starttls = not is_direct
        try:
            async with asyncio.timeout(deadline):
                connecting = self.connect(*(address or (None, None)))
                connecting.add_done_callback(self._connecting_ended)
                self._tasks.add(connecting)
                await self._in_session
        except TimeoutError:
            raise Transient(
                f"{self.domain} did not complete a login within {deadline:g} s"
            ) from None
        finally:
            # slixmpp's SASL mechanism keeps the password in plain as long as it is kept itself.
            self.plugin["feature_mechanisms"].mech = None

    async def get_dns_records(self, domain: str, port: int | None = None) -> list[Record]:
        del port
        return await self._directory.servers(domain)

    async def _attempt_connection(self, *args: Any) -> bool:  # noqa: ANN401
        try:
            async with asyncio.timeout(self._address_deadline):
                return await super()._attempt_connection(*args)
        except TimeoutError as error:
            self.event("connection_failed", error)
            return False

    async def _handle_stream_features(self, features: StreamFeatures) -> bool | None:
        is_login = "mechanisms" in features["features"] and self._is_encrypted()
        begin, self._begin = (self._begin, None) if is_login else (None, self._begin)
        if begin:
            beginning = asyncio.ensure_future(begin())
            self._tasks.add(beginning)
            try:
                await beginning
            except Exception as error:  # noqa: BLE001 (whoever logs in hears of it)
                self.fail(error)
        if self.lost:
            return None
        return await super()._handle_stream_features(features)

    def incoming_filter(self, xml: Element) -> Element:
        if xml.tag == FEATURES:
            channel = self.socket
            version = channel.version() if isinstance(channel, ssl.SSLObject) else None
            self.plugin["feature_mechanisms"].use_mechs = usable(xml, version)
        return super().incoming_filter(xml)

    def reschedule_connection_attempt(self) -> None:
        self.fail(self._unreached or Transient(f"{self.domain} cannot be reached"))

    def _connecting_ended(self, task: "asyncio.Future[Any]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LastWordError):
            self.fail(error)
        elif error:
            self.fail(refusals.of_connection(error, self.domain))

    def _not_reached(self, reason: object) -> None:
        # One address of several: a bad certificate at any of them says more than the last.
        if not isinstance(self._unreached, Deferred):
            self._unreached = refusals.of_connection(reason, self.domain)

    def _not_trusted(self, error: ssl.SSLError) -> None:
        self.fail(refusals.of_connection(error, self.domain))

    def _no_mechanism(self, _: object) -> None:
        missing = "a way to log in that we know" if self._is_encrypted() else "encryption"
        self.fail(Deferred(f"{self.domain} does not offer {missing}: no password was sent"))

    def _disconnected(self, reason: object) -> None:
        # A handshake that failed tells why, but may do so after the connection that it closed.
        handshake = self._current_connection_attempt
        if handshake and not handshake.done():
            return
        error = handshake.exception() if handshake and not handshake.cancelled() else None
        if isinstance(error, ssl.SSLError):
            self._not_trusted(error)
        super()._disconnected(reason)

    def _login_refused(self, failure: StanzaBase) -> None:
        # Leaves slixmpp no other mechanism to try the same password with.
        self.plugin["feature_mechanisms"].mech_list.clear()
        self.fail(refusals.of_login(self.discreet(failure), self.domain))

    def _accepted(self, _: object) -> None:
        # slixmpp takes a success at any step, also before the server has proved anything.
        mechanism = self.plugin["feature_mechanisms"].mech
        if isinstance(mechanism, QuickSCRAM) and not mechanism.has_proof:
            self.fail(
                Deferred(
                    f"{self.domain} let us in without a proof that it knows the password: it may be"
                    " another server"
                )
            )

    def _session_offered(self, _: object) -> None:
        if not (self._is_encrypted() and self.authenticated):
            self.fail(Deferred(f"{self.domain} offers a session without encryption or login"))
        elif self.boundjid.bare != self.requested_jid.bare:
            self.fail(Deferred(f"{self.domain} gave us another JID than the account's"))
        elif not self._in_session.done():
            self._in_session.set_result(None)

    def _is_encrypted(self) -> bool:
        return isinstance(self.socket, ssl.SSLObject)


def _without_equals_sign(stanza: StanzaBase) -> StanzaBase:
    """Empty a response that slixmpp fills with a sign for empty initial ones (RFC 6120, 6.4.2)."""
    if isinstance(stanza, Response) and stanza.xml.text == "=":
        stanza.xml.text = None
    return stanza
