"""Carrier `pep`: User Activity (XEP-0108), which stays on the server when we have left."""

import unicodedata

from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0060 import stanza as _pubsub  # noqa: F401 (teaches Iq what pubsub is)
from slixmpp.plugins.xep_0108.stanza import UserActivity
from slixmpp.stanza import Iq

from lastword.errors import Transient
from lastword.publishers.client import Client
from lastword.publishers.stream import Request

NODE = UserActivity.namespace
_PASSING = frozenset({"internal-server-error", "remote-server-timeout", "resource-constraint"})


async def current(client: Client) -> str | None:
    """Return the text of the activity that the server holds for the user, or None.

    Raises:
        Transient: the server did not answer, or cannot just now.
    """
    request = client.Iq(stype="get")
    request["pubsub"]["items"]["node"] = NODE
    request["pubsub"]["items"]["max_items"] = 1
    answer = await _answer(client, request)
    text = None if answer is None else answer.xml.findtext(f".//{{{NODE}}}activity/{{{NODE}}}text")
    return unicodedata.normalize("NFC", text) if text else None


async def publish(client: Client, status: str | None) -> bool:
    """Publish the status as the user's activity; with None, one that says nothing.

    Returns:
        Whether the server keeps it: not all have PEP, or for all of their users.

    Raises:
        Transient: the server did not answer, or cannot just now.
    """
    activity = UserActivity()
    if status is not None:
        activity["value"] = ("undefined", None)
        activity["text"] = status
    request = client.Iq(stype="set")
    request["pubsub"]["publish"]["node"] = NODE
    request["pubsub"]["publish"]["item"]["id"] = "current"
    request["pubsub"]["publish"]["item"]["payload"] = activity.xml
    return await _answer(client, request) is not None


async def _answer(client: Client, request: Request) -> Iq | None:
    """Return the server's answer; None where it says that there is no such thing."""
    try:
        return await client.answer_to(request.send())
    except IqError as error:
        if error.etype == "wait" or error.condition in _PASSING:
            raise Transient(
                f"{client.domain} cannot do that just now ({error.condition})"
            ) from None
        return None
