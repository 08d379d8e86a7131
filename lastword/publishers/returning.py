"""What people write to our resource: it goes back to them where the user would never see it."""

from slixmpp import ClientXMPP
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

_WRITTEN = "{jabber:client}message/{jabber:client}body"
_STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
# Of the others none is for a person alone, or wants an answer (RFC 6121, 5.2.2 and 8.5.3.2).
_PERSONAL = frozenset({"chat", "normal"})


def return_messages(client: ClientXMPP) -> None:
    """Return messages to their senders, who learn that we are nobody to write to.

    A negative priority keeps away what is written to the user; but some clients go on writing to
    the very device that they saw last. What the server has put into the user's archive (XEP-0313
    marks it with XEP-0359's id) is not returned: the user's own devices find it there.
    """

    def written(message: StanzaBase) -> None:
        if message["type"] not in _PERSONAL or _is_archived(message, client.boundjid.bare):
            return
        answer = client.Message()
        answer["to"], answer["id"], answer["type"] = message["from"], message["id"], "error"
        answer["error"]["type"], answer["error"]["condition"] = "cancel", "service-unavailable"
        answer.send()

    client.register_handler(Callback("Returned", MatchXPath(_WRITTEN), written))


def _is_archived(message: StanzaBase, owner: str) -> bool:
    return any(it.get("by") == owner for it in message.xml.iterfind(_STANZA_ID))
