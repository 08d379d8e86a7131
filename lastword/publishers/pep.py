"""Carrier `pep`: User Activity (XEP-0108), which stays on the server when we have left."""

import unicodedata
from xml.etree.ElementTree import Element, SubElement

from slixmpp.plugins.xep_0108.stanza import UserActivity

from lastword.publishers.line import Line

NODE = UserActivity.namespace
PUBSUB = "http://jabber.org/protocol/pubsub"
_ITEM = "current"


class Pep:
    """One user's activity, over a line on which we may speak for the user."""

    NAME = "pep"

    def __init__(self, line: Line) -> None:
        self._line = line

    async def current(self) -> str | None:
        """Return the text of the activity that the server holds, or None.

        Raises:
            LastWordError: the server did not say.
        """
        request = Element(f"{{{PUBSUB}}}pubsub")
        SubElement(request, f"{{{PUBSUB}}}items", node=NODE, max_items="1")
        answer = await self._line.ask("get", request)
        text = None if answer is None else answer.findtext(f".//{{{NODE}}}activity/{{{NODE}}}text")
        return unicodedata.normalize("NFC", text) if text else None

    async def set(self, status: str | None) -> bool:
        """Publish the status as the user's activity; retract it with None.

        Returns:
            Whether the server keeps it: not all have PEP, or for all of their users.

        Raises:
            LastWordError: the server did not confirm.
        """
        activity = UserActivity()
        if status is not None:
            activity["value"] = ("undefined", None)
            activity["text"] = status
        kept = await self._change("publish", activity.xml)
        if kept and status is None:
            # All clients know an empty activity (XEP-0108, 2.2); not all a retraction.
            await self._change("retract")
        return kept

    async def _change(self, what: str, payload: Element | None = None) -> bool:
        request = Element(f"{{{PUBSUB}}}pubsub")
        change = SubElement(request, f"{{{PUBSUB}}}{what}", node=NODE)
        item = SubElement(change, f"{{{PUBSUB}}}item", id=_ITEM)
        if payload is not None:
            item.append(payload)
        return await self._line.ask("set", request) is not None
