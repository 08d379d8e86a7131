"""Carrier `presence`: what contacts see next to the name for as long as we are connected."""

from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from lastword.publishers.client import Client

NAME = "presence"
PRIORITY = -1
"""Never a message for us: the server delivers none to a negative priority (RFC 6121, 8.5.2)."""

_ECHO = "echo"


async def show(client: Client, status: str | None) -> None:
    """Send available presence; return once the server has shown it to ourselves as well.

    It goes to each of the user's own resources, the sending one included (RFC 6121, 4.2.2).
    ejabberd notifies contacts of PEP only from then on.

    Args:
        client: in session.
        status: None: none.

    Raises:
        Transient: the server did not.
    """
    presence = client.Presence()
    presence["show"] = "xa"  # the person may well not be there
    presence["priority"] = PRIORITY
    presence["status"] = status
    echo = client.loop.create_future()

    def seen(stanza: StanzaBase) -> None:
        # Contacts know the id as well, and their servers bounce it: ours alone counts.
        is_ours = stanza.xml.get("from") == client.boundjid.full
        if is_ours and stanza.xml.get("id") == presence["id"] and not echo.done():
            echo.set_result(None)

    client.register_handler(Callback(_ECHO, MatchXPath("{jabber:client}presence"), seen))
    presence.send()
    try:
        await client.answer_to(echo)
    finally:
        client.remove_handler(_ECHO)


def leave(client: Client, status: str | None) -> None:
    """Send unavailable presence; it is on its way before the stream is closed.

    Servers keep its words for those who ask for the last activity (XEP-0012).
    """
    presence = client.Presence()
    presence["type"] = "unavailable"
    presence["status"] = status
    presence.send()
