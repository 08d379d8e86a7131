"""The original's way: one user after another, and everything anew for each of them.

Get the newest post, connect, get the status, set it, leave. httpx and slixmpp as they come, so
each with a TLS context of its own; nothing is remembered, compared or recorded.
"""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Sequence
from html import unescape
from xml.etree.ElementTree import fromstring

import httpx

from bench import stock

_ATOM = "{http://www.w3.org/2005/Atom}"


def newest(url: str, tls: ssl.SSLContext) -> str:
    """Return the text of a feed's newest post."""
    feed = fromstring(httpx.get(url, verify=tls).raise_for_status().text)  # noqa: S314 (our own)
    html = feed.findtext(f"{_ATOM}entry/{_ATOM}content") or ""
    return unescape(re.sub("<[^>]*>", "", html))


def run(people: Sequence[dict[str, str]], address: tuple[str, int], ca_file: str) -> dict[str, int]:
    """Set the statuses of some people; return how many."""
    for person in people:
        status = newest(person["url"], _tls(ca_file))
        whose, server, tls = (
            (person["jid"], person["password"]),
            (address[0], address[1]),
            _tls(ca_file),
        )
        asyncio.run(stock.publish(*whose, status, address=server, tls=tls))
    return {"Published": len(people)}


def _tls(ca_file: str) -> ssl.SSLContext:
    """Return what either library makes by default, which trusts the stage, too."""
    tls = ssl.create_default_context()
    tls.load_verify_locations(ca_file)
    return tls


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"outcomes": run(**json.load(sys.stdin))}))
