"""A client with stream management (XEP-0198): a session outlives its connection, and is resumed.

slixmpp's own plugin keeps what was sent to send it again, and waits for answers in tasks that
nobody can end. Our sessions have one thing to say, and say it again until it is seen.
"""

from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, tostring

from pydantic import SecretStr
from slixmpp.plugins.xep_0198.stanza import StreamManagement
from slixmpp.stanza import StreamFeatures
from slixmpp.xmlstream import register_stanza_plugin

from lastword.publishers.client import Client

NS = "urn:xmpp:sm:3"

_STANZAS = frozenset(f"{{jabber:client}}{name}" for name in ("iq", "message", "presence"))
_WRAP = 2**32  # section 4
_BEFORE_BIND, _AFTER_BIND = 9_000, 10_100

register_stanza_plugin(StreamFeatures, StreamManagement)


@dataclass(slots=True)
class Resumption:
    """What resumes a session.

    Attributes:
        id: the server's name for it.
        handled: stanzas received in it.
    """

    id: SecretStr
    handled: int = 0


class ManagedClient(Client):
    """A client whose session may be resumed.

    Args:
        resumption: of a session of the same full JID; None: begin one.
        more: see `Client`.

    Attributes:
        resumption: of the session that there is now; None: the server grants none.
        is_resuming: whether the server has been asked to resume, and has not answered.
        has_resumed: whether it did.
    """

    def __init__(self, *args: Any, resumption: Resumption | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **more)
        self.resumption = resumption
        self.is_resuming = False
        self.has_resumed = False
        self._is_counting = False
        self._resumed = self.loop.create_future()
        for order in (_BEFORE_BIND, _AFTER_BIND):
            self.register_feature("sm", self._negotiate, restart=True, order=order)

    async def _negotiate(self, _: object) -> bool:
        """Resume before a resource is bound, else ask for a session that can be, after."""
        if "bind" in self.features:
            self._send("enable", resume="true")
            return False
        if self.resumption is None:
            return False
        self.is_resuming = True
        known = self.resumption
        self._send("resume", h=str(known.handled), previd=known.id.get_secret_value())
        self.has_resumed = await self.while_alive(self._resumed)
        if self.has_resumed:
            self.event("session_resumed")
        return self.has_resumed

    def _send(self, name: str, **attributes: str) -> None:
        element = Element(name, {"xmlns": NS, **attributes})
        self.send_raw(tostring(element, encoding="unicode"))

    def _answer(self, name: str, xml: Element) -> None:
        match name:
            case "r":
                self._send("a", h=str(self.resumption.handled if self.resumption else 0))
            case "enabled":
                is_kept = xml.get("resume") in ("true", "1")
                self.resumption = Resumption(SecretStr(xml.get("id", "") if is_kept else ""))
                self._is_counting = True
            case "resumed":
                self._is_counting = True
                self._conclude(has_resumed=True)
            case "failed":
                self.resumption = None
                self._conclude(has_resumed=False)

    def _conclude(self, *, has_resumed: bool) -> None:
        self.is_resuming = False
        if not self._resumed.done():
            self._resumed.set_result(has_resumed)

    # slixmpp's own, changed.

    def _spawn_event(self, xml: Element) -> None:
        namespace, _, name = xml.tag[1:].partition("}")
        if namespace == NS:
            self.incoming_filter(xml)
            self._answer(name, xml)
            return
        if self._is_counting and self.resumption and xml.tag in _STANZAS:
            self.resumption.handled = (self.resumption.handled + 1) % _WRAP
        super()._spawn_event(xml)
