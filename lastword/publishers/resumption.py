"""Stream management (XEP-0198): a session that outlives its connection, and our process with it.

slixmpp's plugin counts, acknowledges and resumes. By itself it enables as soon as it can, without
a word about for how long, and waits for the server in a task that nobody can end.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from pydantic import SecretStr
from slixmpp import JID
from slixmpp.plugins.xep_0198 import XEP_0198, stanza
from slixmpp.xmlstream import StanzaBase

from lastword.errors import LastWordError, Transient
from lastword.publishers.client import Client
from lastword.publishers.stream import Stream

LONGEST = 7 * 24 * 3600
"""Seconds: more is not believed, whatever a server grants."""

_NUMBER = re.compile("[0-9]{1,18}")
_ID_LENGTH = 4_000
_ROUNDS = 8


class NotResumed(Exception):
    """The request to resume a session came to no session at all: `reopened` has a way out."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A session that a server keeps for us; whoever has our password and this can go on with it.

    Attributes:
        jid: the full JID.
        id: the server's word for the session.
        handled: so many stanzas have come to us.
        sent: so many have gone from us; the server has acknowledged them.
        seconds: for so long the server keeps it, from the loss of the connection on.
    """

    jid: str
    id: SecretStr
    handled: int
    sent: int
    seconds: int


class StreamManagement(XEP_0198):
    """slixmpp's plugin, resuming what was saved elsewhere, and enabled when we say so.

    Attributes:
        seconds: for so long the server keeps the session; 0: it does not.
        was_asked: whether the server was asked to resume the session.
        is_resumed: whether the session is the one of before.
    """

    # Not slixmpp's, which would go on by the same name in the whole process.
    name = "lastword_sm"
    xmpp: Stream

    def plugin_init(self) -> None:
        super().plugin_init()  # type: ignore[no-untyped-call]
        self.seconds = 0
        self.was_asked = self.is_resumed = False
        self._acked = self.xmpp.loop.create_future()

    async def enable(self, seconds: float) -> None:
        """Ask the server to keep the session once the connection is lost.

        Args:
            seconds: for so long; the server may grant less or more.

        Raises:
            Transient: the server did not answer.
        """
        request = stanza.Enable(self.xmpp)
        request["resume"] = True
        request["max"] = str(int(min(seconds, LONGEST)))
        answer = await self._answer_to(request, "sm_enabled", "sm_failed")
        if answer.name == "enabled" and answer["resume"] and 0 < len(answer["id"]) <= _ID_LENGTH:
            self.seconds = _seconds(answer["max"])

    async def settle(self) -> None:
        """Acknowledge all that has come; return once the server has acknowledged all that went.

        Raises:
            Transient: it did not.
        """
        for _ in range(_ROUNDS):
            ack = stanza.Ack(self.xmpp)
            ack["h"] = self.handled
            ack.send()
            self._acked = self.xmpp.loop.create_future()
            stanza.RequestAck(self.xmpp).send()
            await self.xmpp.answer_to(self._acked)
            if not self.unacked_queue:
                return
        raise Transient(f"{self.xmpp.domain} does not acknowledge what was sent")

    def saved(self) -> Saved:
        """Return what resumes the session as it is now."""
        return Saved(
            jid=self.xmpp.boundjid.full,
            id=SecretStr(self.sm_id or ""),
            handled=self.handled,
            sent=self.seq,
            seconds=self.seconds,
        )

    async def _handle_sm_feature(self, _: object) -> bool:
        """Resume; slixmpp calls it once logged in, before it binds a resource and after."""
        if not self.sm_id:
            return False
        request = stanza.Resume(self.xmpp)
        request["h"] = self.handled
        request["previd"] = self.sm_id
        self.was_asked = True
        try:
            answer = await self._answer_to(request, "session_resumed", "sm_failed")
        except LastWordError as error:
            self.xmpp.fail(error)
            return True
        if answer.name == "resumed":
            return True
        self.seconds = 0
        self.session_end(None)  # type: ignore[no-untyped-call]
        return False

    def _handle_resumed(self, answer: StanzaBase) -> None:
        self.is_resumed = True  # at once: `log_in` returns before the request above has its answer
        super()._handle_resumed(answer)  # type: ignore[no-untyped-call]

    async def _answer_to(self, request: StanzaBase, *events: str) -> StanzaBase:
        answer = self.xmpp.loop.create_future()

        def told(said: StanzaBase) -> None:
            if not answer.done():
                answer.set_result(said)

        for event in events:
            self.xmpp.add_event_handler(event, told)
        request.send()
        try:
            return await self.xmpp.answer_to(answer)
        finally:
            for event in events:
                self.xmpp.del_event_handler(event, told)

    def _handle_ack(self, ack: StanzaBase) -> None:
        if not _NUMBER.fullmatch(ack.xml.get("h", "")):
            self.xmpp.fail(Transient(f"{self.xmpp.domain} garbled its answer"))
            return
        super()._handle_ack(ack)  # type: ignore[no-untyped-call]
        if not self._acked.done():
            self._acked.set_result(None)


def managed(client: Client) -> StreamManagement:
    """Return a client's stream management; set up, but not enabled, where there was none yet."""
    plugins: Any = client.plugin
    if not plugins.enabled(StreamManagement.name):
        plugins.register(StreamManagement)
    return cast("StreamManagement", plugins[StreamManagement.name])


def prepare(client: Client, saved: Saved) -> None:
    """Let a client resume a session when it logs in; where that is refused, it starts a new one.

    `log_in` may fail over it: see `was_asked`.
    """
    client.boundjid = JID(saved.jid)
    management = managed(client)
    management.sm_id = saved.id.get_secret_value()
    management.handled = saved.handled
    management.seq = management.last_ack = saved.sent
    management.seconds = saved.seconds


def was_asked(client: Client) -> bool:
    """Tell whether the server, having accepted the password, was asked to resume a session."""
    management = _management(client)
    return management is not None and management.was_asked


def is_resumed(client: Client) -> bool:
    """Tell whether the session, once there, is the one of before."""
    management = _management(client)
    return management is not None and management.is_resumed


async def keep(client: Client, *, at_least: float, ask: float) -> Saved | None:
    """Drop the connection in such a way that the server keeps the session.

    Args:
        client: in session, all answers received.
        at_least: seconds that the server must keep it for.
        ask: seconds to ask for, where it was not asked yet.

    Returns:
        What resumes it; None where the server would not keep it so long: then the connection is
        still there, unless it broke.
    """
    if not client.offers(f"{{{stanza.Enable.namespace}}}sm"):
        return None
    management = managed(client)
    try:
        if not management.seconds:
            await management.enable(ask)
        if management.seconds < at_least:
            return None
        await management.settle()
    except LastWordError:
        # Broken, it is kept by the server all the same: what we know may still do.
        if not (client.lost and management.seconds >= at_least and management.sm_id):
            return None
    saved = management.saved()
    await client.drop()
    return saved


def _management(client: Client) -> StreamManagement | None:
    plugins: Any = client.plugin
    return cast("StreamManagement | None", plugins.get(StreamManagement.name, None))


def _seconds(text: Any) -> int:  # noqa: ANN401 (slixmpp's)
    return min(int(text), LONGEST) if _NUMBER.fullmatch(str(text)) else 0
