"""A component's connection to a server (XEP-0114), over which many accounts ask at once.

slixmpp by itself reconnects for ever, lets requests wait when their stream has died, and looks
through a list of handlers for each answer; so answers are matched here.
"""

import asyncio
from secrets import token_hex
from typing import Any
from xml.etree.ElementTree import Element, tostring

from pydantic import SecretStr
from slixmpp import ComponentXMPP
from slixmpp.xmlstream import StanzaBase

from lastword.errors import Transient
from lastword.publishers import refusals
from lastword.publishers.line import Kind

NS = "jabber:component:accept"
_IQ, _MESSAGE, _PRESENCE = (f"{{{NS}}}{it}" for it in ("iq", "message", "presence"))
_NOT_KNOWN = ("not-authorized", "host-unknown", "conflict")
_STANZA_BYTES = 1 << 20


class NotAccepted(Exception):
    """The server does not know the component by this name and secret."""


class Component(ComponentXMPP):
    """One connection: `open` once, `ask` as long as it is not `lost`, `drop` in the end.

    Args:
        name: the component's domain.
        secret: shared with the server.
        address: host and port of the server's component port.
        domain: the server, whose word about what we may do counts.
        deadline: seconds for connecting.
        answer_deadline: seconds for the server to answer one request.

    Attributes:
        name: the component's domain.
        lost: why the connection is of no more use, or None.
        granted: the element in which the server told what we may do (XEP-0356, 4.2), or None.
    """

    def __init__(
        self,
        name: str,
        secret: SecretStr,
        address: tuple[str, int],
        *,
        domain: str,
        deadline: float,
        answer_deadline: float,
    ) -> None:
        super().__init__(name, "", *address)  # type: ignore[no-untyped-call]
        self.loop = asyncio.get_running_loop()
        self._secret = secret
        self.name = name
        self.lost: Exception | None = None
        self.granted: Element | None = None
        self._domain = domain
        self._address = address
        self._deadline = deadline
        self._answer_deadline = answer_deadline
        self._in_session: asyncio.Future[None] = self.loop.create_future()
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self._number = 0
        # Anybody on the network may send us a stanza: nobody else can answer in the server's name.
        self._ids = f"lw{token_hex(12)}"
        self._unfinished = 0
        self._closing: set[asyncio.Future[None]] = set()
        self.max_redirects = -1
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("connection_failed", self._not_reached)
        self.add_event_handler("stream_error", self._stream_error)
        self.add_event_handler("disconnected", self._disconnected)

    async def open(self) -> None:
        """Connect and prove who we are.

        Raises:
            Transient: the server is not reached, or does not answer.
            NotAccepted: it does not know the component, or its secret is another.
        """
        where = f"{self._address[0]}:{self._address[1]}"
        try:
            async with asyncio.timeout(self._deadline):
                self.connect(*self._address)
                await self._in_session
        except TimeoutError:
            raise Transient(
                f"the component port {where} did not answer within {self._deadline:g} s"
            ) from None

    async def ask(self, kind: Kind, payload: Element, to: str) -> Element:
        """Send an IQ and return the answer, whole, also where it is an error.

        Raises:
            Transient: no answer in time, or the connection ended before.
        """
        if self.lost:
            raise self.lost
        self._number += 1
        key = f"{self._ids}{self._number}"
        iq = Element("iq", {"type": kind, "id": key, "from": self.name, "to": to})
        iq.append(payload)
        answer = self._answers[key] = self.loop.create_future()
        try:
            self.send_raw(tostring(iq, encoding="unicode"))
            async with asyncio.timeout(self._answer_deadline):
                found: Element = await answer
                return found
        except TimeoutError:
            raise Transient(
                f"{to.rpartition('@')[2]} did not answer a request within"
                f" {self._answer_deadline:g} s"
            ) from None
        finally:
            del self._answers[key]

    async def drop(self) -> None:
        """Close the connection and end all that waits for it."""
        self._fail(Transient("the component's connection was closed"))
        self.cancel_connection_attempt()
        self.abort()
        tasks = [*self._closing, *filter(None, [self._run_out_filters])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fail(self, error: Exception) -> None:
        self.lost = self.lost or error
        waiting: list[asyncio.Future[Any]] = [self._in_session, *self._answers.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(self.lost)
                future.exception()

    def _started(self, _: object) -> None:
        if not self._in_session.done():
            self._in_session.set_result(None)

    def _not_reached(self, reason: object) -> None:
        self._fail(refusals.of_connection(reason, f"the component port of {self._address[0]}"))

    def _stream_error(self, error: StanzaBase) -> None:
        condition = error["condition"]
        if condition in _NOT_KNOWN and not self._in_session.done():
            self._fail(NotAccepted(condition))
        self._fail(Transient(f"the server ended the component's connection ({condition})"))

    def _disconnected(self, _: object) -> None:
        self._fail(Transient("the server closed the component's connection"))

    # slixmpp's own, changed.

    def start_stream_handler(self, xml: Element) -> None:
        self.secret = self._secret.get_secret_value()  # in plain only while it is proved
        try:
            super().start_stream_handler(xml)  # type: ignore[no-untyped-call]
        finally:
            self.secret = ""

    def reschedule_connection_attempt(self) -> None:
        """Try no second time: the task run is retried."""

    def disconnect(self, *args: Any, **kwargs: Any) -> "asyncio.Future[None]":  # noqa: ANN401
        # slixmpp's own decision, for XML that is not well-formed: nobody waits until it is done.
        self._fail(Transient("the server broke off or garbled its answer"))
        closing = super().disconnect(*args, **kwargs)
        self._closing.add(closing)
        return closing

    def data_received(self, data: bytes | str) -> None:
        self._unfinished += len(data)
        if self._unfinished > _STANZA_BYTES:
            self._fail(Transient("the server sends more than anybody asked for"))
            self.abort()
            return
        super().data_received(data)

    def _spawn_event(self, xml: Element) -> None:
        self._unfinished = 0
        if xml.tag == _IQ and xml.get("type") in ("result", "error"):
            answer = self._answers.get(xml.get("id", ""))
            if answer and not answer.done():
                answer.set_result(xml)
            return
        if xml.tag == _MESSAGE and xml.get("from") == self._domain:
            told = xml.find("{*}privilege")
            self.granted = self.granted if told is None else told
        if xml.tag in (_MESSAGE, _PRESENCE):  # we are nobody to write to, and keep no contacts
            return
        super()._spawn_event(xml)


def error_of(answer: Element) -> tuple[str, str, str] | None:
    """Return an error answer's type, condition and text, or None where it is no error."""
    if answer.get("type") != "error":
        return None
    error = answer.find("{*}error")
    if error is None:
        return "cancel", "undefined-condition", ""
    conditions = [it.tag.rpartition("}")[2] for it in error]
    condition = next((it for it in conditions if it != "text"), "undefined-condition")
    return error.get("type", "cancel"), condition, error.findtext("{*}text") or ""
