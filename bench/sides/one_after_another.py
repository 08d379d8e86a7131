"""The original's way: one user after another, and everything anew for each of them.

Get the newest post, connect, get the status, set it, leave. httpx and slixmpp as they come, so
each with a TLS context of its own; nothing is remembered, compared or recorded. The status is
the shared status, as it was in the original.
"""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Sequence
from html import unescape
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring

import httpx
from slixmpp import ClientXMPP

_ATOM = "{http://www.w3.org/2005/Atom}"
# Not imported from our own, for that would put our SCRAM into slixmpp.
_NS = "google:shared-status"
_LIMITS = ("status-max", "status-list-max", "status-list-contents-max", "status-min-ver")


def newest(url: str, ca_file: str) -> str:
    """Return the text of a feed's newest post."""
    answer = httpx.get(url, verify=_tls(ca_file)).raise_for_status()
    feed = fromstring(answer.text)  # noqa: S314 (the stage's own)
    html = feed.findtext(f"{_ATOM}entry/{_ATOM}content") or ""
    return unescape(re.sub("<[^>]*>", "", html))


async def publish(
    jid: str, password: str, status: str, *, address: tuple[str, int], ca_file: str
) -> None:
    """Log in, get the status, set it, leave."""
    client = ClientXMPP(jid, password, ssl_context=_tls(ca_file))
    client.enable_direct_tls = False
    started = client.loop.create_future()
    client.add_event_handler("session_start", lambda _: started.set_result(None))
    client.connect(*address)
    await started
    query = await _ask(client, "get", Element(f"{{{_NS}}}query", version="2"))
    for name in _LIMITS:
        query.attrib.pop(name, None)
    element = query.find(f"{{{_NS}}}status")
    element = SubElement(query, f"{{{_NS}}}status") if element is None else element
    if element.text != status:
        element.text = status
        await _ask(client, "set", query)
    await client.disconnect()


async def _ask(client: ClientXMPP, kind: str, payload: Element) -> Any:  # noqa: ANN401 (XML)
    iq = client.Iq(stype=kind)
    iq["to"] = client.boundjid.bare
    iq.xml.append(payload)
    answer = await iq.send(callback=lambda _: None)  # type: ignore[no-untyped-call]
    return answer.xml.find(f"{{{_NS}}}query")


def _tls(ca_file: str) -> ssl.SSLContext:
    """Return what both libraries make by default, which also trusts the stage."""
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    return context


def run(people: Sequence[dict[str, str]], address: Sequence[Any], ca_file: str) -> dict[str, int]:
    """Set the statuses of some people; return how many."""
    for person in people:
        status = newest(person["url"], ca_file)
        asyncio.run(
            publish(
                person["jid"],
                person["password"],
                status,
                address=(address[0], address[1]),
                ca_file=ca_file,
            )
        )
    return {"Published": len(people)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"outcomes": run(**json.load(sys.stdin))}))
