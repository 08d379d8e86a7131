"""One node of a user's own PEP service (XEP-0060, XEP-0163), over a line."""

from xml.etree.ElementTree import Element, SubElement

from lastword.publishers.line import Line

NS = "http://jabber.org/protocol/pubsub"
OWNER = f"{NS}#owner"
ITEMS = "http://jabber.org/protocol/disco#items"
PRESENCE = "presence"
"""The access model by which all contacts see a node: what PEP nodes have by default."""
UNKNOWN = "other"
"""Some access model that is not `presence`, where we may not read which."""

_DATA = "jabber:x:data"
_MAX_ITEMS = "pubsub#max_items"


class PepNode:
    """What is asked of one node. None means that the server knows no such thing.

    Args:
        line: the user's.
        name: the node's.
    """

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name

    async def item(self, number: str | None = None) -> Element | None:
        """Return the newest item, or the one of that id."""
        request, items = self._request("items")
        if number is None:
            items.set("max_items", "1")
        else:
            SubElement(items, f"{{{NS}}}item", id=number)
        answer = await self._line.ask("get", request)
        return None if answer is None else answer.find(f".//{{{NS}}}item")

    async def numbers(self) -> list[str] | None:
        """Return the ids of all items, without what is in them (XEP-0060, 5.5)."""
        answer = await self._line.ask("get", Element(f"{{{ITEMS}}}query", node=self._name))
        if answer is None:
            return None
        return [one.get("name", "") for one in answer.iter(f"{{{ITEMS}}}item")]

    async def create(self) -> None:
        """Create the node for many items, seen by all contacts; one that is there stays as it is.

        Options of publishing would not do: ejabberd knows no `max_items` among them.
        """
        request, _ = self._request("create")
        configure = SubElement(request, f"{{{NS}}}configure")
        options = {"persist_items": "true", "max_items": "max", "access_model": PRESENCE}
        configure.append(_form(f"{NS}#node_config", options))
        await self._line.ask("set", request)

    async def put(self, number: str, payload: Element, options: Element | None = None) -> bool:
        """Publish an item, and tell whether the server keeps it.

        Args:
            number: its id.
            payload: what is in it.
            options: under which the node is created, or must be as it is (XEP-0060, 7.1.5).
        """
        request, publish = self._request("publish")
        SubElement(publish, f"{{{NS}}}item", id=number).append(payload)
        if options is not None:
            SubElement(request, f"{{{NS}}}publish-options").append(options)
        return await self._line.ask("set", request) is not None

    async def publish(self, number: str, payload: Element, known: str) -> str | None:
        """Publish an item for all contacts; but a node that the user has made for others, stays so.

        Args:
            number: the item's id.
            payload: what is in it.
            known: the node's access model as it was found out before, or empty. To find it out
                costs a Prosody a fifth of the statuses that it takes in a second.

        Returns:
            The node's access model.
        """
        if known == PRESENCE:
            return known if await self.put(number, payload) else None
        options = _form(f"{NS}#publish-options", {"access_model": PRESENCE})
        if await self.put(number, payload, options):
            return PRESENCE
        if await self.put(number, payload):
            return await self._access_model()
        return None

    async def retract(self, number: str, *, notify: bool = False) -> bool:
        """Retract an item, and tell whether the server did; with `notify`, contacts are told."""
        request, retract = self._request("retract")
        if notify:
            retract.set("notify", "true")
        SubElement(retract, f"{{{NS}}}item", id=number)
        return await self._line.ask("set", request) is not None

    async def most(self) -> int | None:
        """Return how many items the node keeps; None where the server does not say."""
        field = await self._option(_MAX_ITEMS)
        if field is None:
            return None
        value = field.findtext(f"{{{_DATA}}}value") or ""
        if value == "max":  # Prosody tells beside it how many these are; ejabberd has no bound
            limit = next((one.get("max", "") for one in field.iter() if "}range" in one.tag), "")
            value = limit if limit.isdecimal() else f"{1 << 30}"
        return int(value) if value.isdecimal() else None

    async def _access_model(self) -> str:
        if not self._line.may_read(OWNER):
            return UNKNOWN
        field = await self._option("pubsub#access_model")
        value = None if field is None else field.findtext(f"{{{_DATA}}}value")
        return value if value and value != PRESENCE else UNKNOWN

    async def _option(self, name: str) -> Element | None:
        request = Element(f"{{{OWNER}}}pubsub")
        SubElement(request, f"{{{OWNER}}}configure", node=self._name)
        answer = await self._line.ask("get", request)
        return None if answer is None else answer.find(f".//{{{_DATA}}}field[@var='{name}']")

    def _request(self, what: str) -> tuple[Element, Element]:
        request = Element(f"{{{NS}}}pubsub")
        return request, SubElement(request, f"{{{NS}}}{what}", node=self._name)


def _form(kind: str, options: dict[str, str]) -> Element:
    form = Element(f"{{{_DATA}}}x", type="submit")
    fields = [("FORM_TYPE", kind), *((f"pubsub#{name}", it) for name, it in options.items())]
    for name, value in fields:
        field = SubElement(form, f"{{{_DATA}}}field", var=name)
        if name == "FORM_TYPE":
            field.set("type", "hidden")
        SubElement(field, f"{{{_DATA}}}value").text = value
    return form
