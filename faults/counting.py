"""A contact who counts how often each is told of each status."""

from collections import Counter

from slixmpp.stanza import Message, Presence

from demo.contact import ACTIVITY, Contact
from demo.stage import CONTACT, DOMAIN, Stage


class Counting(Contact):
    """See `Contact`.

    Attributes:
        told: by localpart and text, how many notifications there were.
    """

    told: Counter[tuple[str, str]]

    def _on_presence(self, presence: Presence) -> None:
        if presence["type"] != "unavailable" and presence["status"]:
            self.told[presence["from"].user, presence["status"]] += 1
        super()._on_presence(presence)

    def _on_activity(self, message: Message) -> None:
        text = message.xml.findtext(f".//{{{ACTIVITY}}}activity/{{{ACTIVITY}}}text")
        if text:
            self.told[message["from"].user, text] += 1
        super()._on_activity(message)


def counting(scene: Stage) -> Counting:
    """Return the contact of all people of a stage, ready to log in."""
    contact = Counting(
        f"{CONTACT}@{DOMAIN}",
        scene.passwords[CONTACT],
        host=scene.prosody.host,
        port=scene.prosody.port,
        ca_file=scene.prosody.ca_file,
    )
    contact.told = Counter()
    return contact
