"""An ordinary client, as a user has on the phone: also one that speaks Google's shared status."""

from typing import Any, Self
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from demo.contact import Contact
from demo.prosody import Prosody
from tests.xmpp_peer import PASSWORD

NS = "google:shared-status"


class Device(Contact):
    """A user's client, online without words for the length of an `async with` block.

    Attributes:
        pushes: the states of the shared status that the server pushed.
        rooms: presence that came from rooms, by full JID of the occupant.
    """

    def __init__(self, prosody: Prosody, name: str, resource: str = "phone") -> None:
        super().__init__(
            f"{name}@{prosody.domain}/{resource}",
            PASSWORD,
            host=prosody.host,
            port=prosody.port,
            ca_file=prosody.ca_file,
        )
        self.owner = f"{name}@{prosody.domain}"
        self.pushes: list[str] = []

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        push = MatchXPath(f"{{jabber:client}}iq/{{{NS}}}query")
        self.client.register_handler(Callback("push", push, self._pushed))
        return self

    def show(self, status: str | None = None, show: str | None = None, **more: Any) -> None:  # noqa: ANN401
        """Broadcast presence; `to` directs it."""
        self.client.send_presence(pstatus=status, pshow=show, **more)

    def join(self, occupant: str) -> None:
        """Enter a room (XEP-0045)."""
        presence = self.client.make_presence(pto=occupant)
        presence.xml.append(ET.Element("{http://jabber.org/protocol/muc}x"))
        presence.send()

    async def settle(self) -> None:
        """Return once the server has dealt with all that was sent before."""
        await self._ping()

    async def ask(self, query: str, kind: str = "get", to: str | None = None) -> str:
        """Send a request and return the answer's payload as text.

        Raises:
            IqError: the server refused.
        """
        iq = self.client.Iq()
        iq["type"], iq["to"] = kind, to or self.owner
        iq.xml.append(ET.fromstring(query))  # noqa: S314 (ours)
        answer = await iq.send(timeout=10)  # type: ignore[no-untyped-call]
        return "".join(plain(child) for child in answer.xml)

    async def shared(self) -> str:
        """Return the shared status as the server gives it."""
        return await self.ask(f'<query xmlns="{NS}" version="2"/>')

    async def share(self, inner: str, to: str | None = None) -> None:
        """Set the shared status."""
        await self.ask(f'<query xmlns="{NS}" version="2">{inner}</query>', "set", to)

    async def refused(self, inner: str, to: str | None = None) -> str:
        """Try to set the shared status, and return the condition that forbids it."""
        try:
            await self.share(inner, to)
        except IqError as error:
            return str(error.condition)
        raise AssertionError("it was not refused")

    def _pushed(self, stanza: StanzaBase) -> None:
        if stanza["type"] == "set":
            self.pushes.append(plain(stanza.xml[0]))
            reply = self.client.Iq()
            reply["type"], reply["id"], reply["to"] = "result", stanza["id"], stanza["from"]
            reply.send()  # type: ignore[no-untyped-call]


def plain(element: ET.Element) -> str:
    """Return an element as text, its namespace said once and attributes in the order of names."""
    text = ET.canonicalize(ET.tostring(element, encoding="unicode"))
    return text.replace("ns0:", "").replace(":ns0", "")
