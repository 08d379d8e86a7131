"""An XMPP stream that is mortal: when it ends, all that waits for it ends with the same error.

slixmpp 1.17 by itself lets requests wait when their stream has died, reconnects for ever, follows
redirects to hosts that anyone may name (`see-other-host`), reads stanzas of any size, and accepts
every subscription request.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from pydantic import SecretStr
from slixmpp import ClientXMPP
from slixmpp.stanza import Iq
from slixmpp.xmlstream import StanzaBase

from lastword.errors import Deferred, Transient
from lastword.publishers import refusals

T = TypeVar("T")

# Chat, roster and the presence of contacts are no business of ours; for each that goes, a login
# costs less.
_NOT_OURS = ("IM", "IMError", "Presence", "Roster Update")
_NOT_USED = frozenset({"feature_rosterver", "feature_preapproval", "feature_limits"})
FEATURES = "{http://etherx.jabber.org/streams}features"
_STANZA_BYTES = 1 << 20
# slixmpp's handlers run as tasks that nobody can reach: they end within a few turns of the loop
# once what they wait for has ended.
_TURNS = 8


class _Credentials(dict[str, Any]):
    """What slixmpp logs in with: a password is plain only where a mechanism takes it."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 (slixmpp's)
        found = super().__getitem__(name)
        return found.get_secret_value() if isinstance(found, SecretStr) else found


class Request(Iq):
    """An IQ whose answer is waited for no longer than its stream lives."""

    stream: "Stream"

    def send(  # type: ignore[override]
        self, callback: Callable[[Iq], Any] | None = None, timeout: float | None = None
    ) -> "asyncio.Future[Iq]":
        def answered(answer: Iq) -> None:
            if callback is None:
                return
            if answer["type"] == "result":
                callback(answer)
            else:  # slixmpp's own requests, as for a bind, would take it for a success
                self.stream.fail(refusals.of_session(answer.xml, self.stream.domain))

        future: asyncio.Future[Iq] = super().send(answered, timeout)  # type: ignore[no-untyped-call]
        return self.stream.while_alive(future)


class Stream(ClientXMPP):
    """Made in the running loop; `drop` it in the end, whatever happened.

    Args:
        jid: full JID, valid.
        password: passes SASLprep.
        tls: verifies certificates and names; shared by all.
        answer_deadline: seconds for the server to answer one request.
        plugin_config: slixmpp's.

    Attributes:
        domain: the server, as messages call it.
        lost: why the stream is of no more use, or None.
    """

    def __init__(
        self,
        jid: str,
        password: SecretStr,
        *,
        tls: ssl.SSLContext,
        answer_deadline: float,
        plugin_config: dict[str, dict[str, Any]],
    ) -> None:
        super().__init__(
            jid,
            "",
            plugin_config=plugin_config,
            ssl_context=tls,
            loop=asyncio.get_running_loop(),
        )
        self._secret = password
        self.credentials = _Credentials(password=password)
        self.domain: str = self.requested_jid.domain
        self.lost: Exception | None = None
        self._answer_deadline = answer_deadline
        self._waiting: set[asyncio.Future[Any]] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._unfinished = 0
        self._offered: frozenset[str] = frozenset()
        # A redirect comes before encryption, and slixmpp would trust the other host's certificate.
        self.max_redirects = -1
        for name in _NOT_OURS:
            self.remove_handler(name)
        self.add_event_handler("stream_error", self._stream_error)
        self.add_event_handler("disconnected", self._disconnected)

    async def answer_to(self, future: "asyncio.Future[T]") -> T:
        """Return what a future brings that the server is to fulfil.

        Raises:
            Transient: it does not in time, or the stream ends before.
        """
        self.while_alive(future)
        try:
            async with asyncio.timeout(self._answer_deadline):
                return await future
        except TimeoutError:
            raise Transient(
                f"{self.domain} did not answer a request within {self._answer_deadline:g} s"
            ) from None

    def while_alive(self, future: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Return the future, which now fails when the stream ends."""
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if self.lost:
            self.fail(self.lost)
        return future

    def fail(self, error: Exception) -> None:
        """Declare the stream lost; the first reason given is the one that counts."""
        self.lost = self.lost or error
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(self.lost)
                future.exception()  # slixmpp waits for some that nobody looks at

    def offers(self, feature: str) -> bool:
        """Tell whether the server's latest list of stream features has an element of that name."""
        return feature in self._offered

    async def leave(self, seconds: float) -> None:
        """Close the stream, after all that was sent, and wait for the server to close it too."""
        if not self.lost:
            closing = super().disconnect(wait=seconds)
            self._tasks.add(closing)
            await closing

    async def drop(self) -> None:
        """Close the connection at once and end all that slixmpp still has under way."""
        self.fail(Transient(f"the connection to {self.domain} was closed"))
        self.cancel_connection_attempt()
        self.abort()
        for name in tuple(self.scheduled_events):
            self.cancel_schedule(name)
        if self._run_out_filters:
            self._tasks.add(self._run_out_filters)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def discreet(self, stanza: StanzaBase) -> Element:
        """Return a stanza's XML without words that bring the password or the user's name back."""
        secrets = filter(None, (self._secret.get_secret_value(), self.requested_jid.user))
        words = tuple(secrets)
        for element in stanza.xml.iter():
            if any(word in (element.text or "") for word in words):
                element.text = None
        return stanza.xml

    def forget_password(self) -> None:
        """Let go of it, once in session."""
        self.credentials.clear()
        self._secret = SecretStr("")

    def _stream_error(self, error: StanzaBase) -> None:
        self.fail(refusals.of_stream(self.discreet(error), self.domain))

    def _disconnected(self, _: object) -> None:
        self.fail(Transient(f"{self.domain} closed the connection"))

    # slixmpp's own, changed.

    def register_plugin(self, plugin: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if plugin not in _NOT_USED:
            super().register_plugin(plugin, *args, **kwargs)

    def Iq(self, *args: Any, **kwargs: Any) -> Request:  # noqa: ANN401, N802
        return Request(self, *args, **kwargs)  # type: ignore[no-untyped-call]

    def disconnect(self, *args: Any, **kwargs: Any) -> "asyncio.Future[None]":  # noqa: ANN401
        # slixmpp's own decision, for XML that is not well-formed or a proof that does not hold.
        self.fail(Transient(f"{self.domain} broke off or garbled its answer"))
        closing = super().disconnect(*args, **kwargs)
        self._tasks.add(closing)
        return closing

    def data_received(self, data: bytes | str) -> None:
        self._unfinished += len(data)
        if self._unfinished > _STANZA_BYTES:
            self.fail(Deferred(f"{self.domain} sends more than anybody asked for"))
            self.abort()
            return
        super().data_received(data)

    def incoming_filter(self, xml: Element) -> Element:
        self._unfinished = 0
        if xml.tag == FEATURES:
            self._offered = frozenset(feature.tag for feature in xml)
        return xml

    def exception(self, exception: Exception) -> None:
        del exception
        self.fail(Transient(f"{self.domain} broke off or garbled its answer"))
