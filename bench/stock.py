"""The same sessions by slixmpp as it comes: what `bench.logins` compares with.

The same stanzas as the publisher `login` sends, no plugin more than slixmpp itself loads, and one
TLS context for all, which is the greatest saving that anybody finds: a baseline that is not weak.
"""

import ssl
from xml.etree.ElementTree import Element, SubElement

from slixmpp import ClientXMPP

# Not imported from our own, for that would put our SCRAM into slixmpp.
NODE = "http://jabber.org/protocol/activity"
PUBSUB = "http://jabber.org/protocol/pubsub"


async def publish(
    jid: str, password: str, status: str, *, address: tuple[str, int], tls: ssl.SSLContext
) -> None:
    """Log in, read the activity, show presence, publish the activity, leave.

    Args:
        jid: bare JID.
        password: its password.
        status: the text.
        address: host and port of the server, with STARTTLS.
        tls: trusts the server.
    """
    client = ClientXMPP(jid, password, ssl_context=tls)
    client.enable_direct_tls = False
    started = client.loop.create_future()
    client.add_event_handler("session_start", lambda _: started.set_result(None))
    client.connect(*address)
    await started
    await _ask(client, "get", _request("items", {"max_items": "1"}))
    echo = client.loop.create_future()
    client.add_event_handler("presence", lambda _: echo.set_result(None), disposable=True)
    client.send_presence(pshow="xa", pstatus=status, ppriority=-1)
    await echo
    await _ask(client, "set", _activity(status))
    client.send_presence(ptype="unavailable", pstatus=status)
    await client.disconnect()


async def _ask(client: ClientXMPP, kind: str, payload: Element) -> None:
    iq = client.Iq(stype=kind)
    iq.xml.append(payload)
    await iq.send(callback=lambda _: None)  # type: ignore[no-untyped-call]


def _request(what: str, attributes: dict[str, str]) -> Element:
    request = Element(f"{{{PUBSUB}}}pubsub")
    SubElement(request, f"{{{PUBSUB}}}{what}", {"node": NODE, **attributes})
    return request


def _activity(status: str) -> Element:
    request = _request("publish", {})
    item = SubElement(request[0], f"{{{PUBSUB}}}item", id="current")
    activity = SubElement(item, f"{{{NODE}}}activity")
    SubElement(activity, f"{{{NODE}}}undefined")
    SubElement(activity, f"{{{NODE}}}text").text = status
    return request
