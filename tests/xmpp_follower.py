"""A contact who follows all that PEP may tell, and keeps every single notification."""

from dataclasses import dataclass
from typing import Self

from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from demo.contact import Contact
from demo.prosody import Prosody
from tests.fixtures_xmpp import CONTACT
from tests.xmpp_peer import PASSWORD

EVENT = "{http://jabber.org/protocol/pubsub#event}"
ACTIVITY = "http://jabber.org/protocol/activity"
TUNE = "http://jabber.org/protocol/tune"
MICROBLOG = "urn:xmpp:microblog:0"
_KINDS = {ACTIVITY: "activity", TUNE: "tune", MICROBLOG: "microblog"}

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Told:
    """One notification: of which kind of node, and what it says; None where something ended."""

    kind: str
    text: str | None


class Follower(Contact):
    """The contact, with `+notify` for activity, tune and microblog."""

    def __init__(self, prosody: Prosody) -> None:
        super().__init__(
            f"{CONTACT}@{prosody.domain}",
            PASSWORD,
            host=prosody.host,
            port=prosody.port,
            ca_file=prosody.ca_file,
            interests=(TUNE, MICROBLOG),
        )
        self._ids: set[str] = set()
        self._told: list[tuple[str, Told]] = []

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        event = MatchXPath(f"{{jabber:client}}message/{EVENT}event")
        self.client.register_handler(Callback("event", event, self._event))
        # Each person's server asks what the caps mean, and only then tells what there is already.
        for _ in range(_ROUNDS):
            await self._ping()
        return self

    async def told_of(self, name: str) -> list[Told]:
        """Return what was told of a person since the last time, in order; nothing is on its way."""
        await self._ping()
        found = [told for who, told in self._told if who == name]
        self._told = [it for it in self._told if it[0] != name]
        return found

    def _event(self, stanza: StanzaBase) -> None:
        # Prosody 0.12 sends a notification to the bare JID as well, under the same id, where this
        # client was the first with its caps. Each publishing has an id of its own.
        number = stanza["id"]
        if number and number in self._ids:
            return
        self._ids.add(number)
        for items in stanza.xml.iter(f"{EVENT}items"):
            kind = _KINDS[items.get("node", "")]
            payload = items.find(f"{EVENT}item/*")
            texts = ("text", "title")
            found = (payload.findtext(f"{{*}}{it}") for it in texts if payload is not None)
            self._told.append((stanza["from"].user, Told(kind, next(filter(None, found), None))))
