"""What a server can do, by service discovery (XEP-0030): asked once per run and server."""

import asyncio
from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element

from lastword.publishers.line import Kind

NS = "http://jabber.org/protocol/disco#info"

Ask = Callable[[Kind, Element, str], Awaitable[Element | None]]


class Disco:
    """Made once per run."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[str]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def features(self, domain: str, ask: Ask) -> frozenset[str]:
        """Return a server's features; the first who wants to know asks, the others wait for it.

        Args:
            domain: the server.
            ask: asks it.

        Raises:
            LastWordError: it did not answer.
        """
        async with self._locks.setdefault(domain, asyncio.Lock()):
            if domain not in self._known:
                answer = await ask("get", Element(f"{{{NS}}}query"), domain)
                found = () if answer is None else answer.iter(f"{{{NS}}}feature")
                self._known[domain] = frozenset(one.get("var", "") for one in found)
        return self._known[domain]
