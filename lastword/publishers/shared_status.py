"""Carrier `shared_status`: the server keeps the status and shows it on the user's own devices.

The protocol is Google Talk's `google:shared-status`; deployments/prosody has the server's side.
"""

import unicodedata
from copy import deepcopy
from xml.etree.ElementTree import Element, SubElement

import regex

from lastword.errors import Transient
from lastword.publishers.line import Line

_NS = "google:shared-status"
_QUERY, _STATUS, _SHOW, _LIST = (
    f"{{{_NS}}}{it}" for it in ("query", "status", "show", "status-list")
)
_LIMITS = ("status-max", "status-list-max", "status-list-contents-max", "status-min-ver")
_GRAPHEME = regex.compile(r"\X")
_MOST = 512
_FEW = 5


class SharedStatus:
    """One user's shared status, over a line on which we may speak for the user."""

    NAME = "shared_status"
    NS = _NS

    def __init__(self, line: Line) -> None:
        self._line = line
        self._state: Element | None = None

    async def current(self) -> str | None:
        """Return the text that the server holds, or None.

        Raises:
            LastWordError: the server did not say.
        """
        answer = await self._line.ask("get", Element(_QUERY, version="2"))
        self._state = None if answer is None else answer.find(_QUERY)
        if self._state is None:
            raise Transient(f"{self._line.domain} does not answer about the shared status now")
        text = self._state.findtext(_STATUS) or ""
        return unicodedata.normalize("NFC", text.strip()) or None

    def as_kept(self, status: str) -> str:
        """Return what the server makes of a text that we set; `current` comes before."""
        longest = _MOST if self._state is None else _limit(self._state, "status-max", _MOST)
        return unicodedata.normalize("NFC", _cut(status, longest).strip())

    async def set(self, status: str | None) -> None:
        """Set the text, or clear it with None; return once the server has confirmed.

        Raises:
            LastWordError: the server did not confirm.
        """
        if self._state is None:
            await self.current()
        assert self._state is not None  # noqa: S101 (`current` raises otherwise)
        if await self._line.ask("set", changed(self._state, status)) is None:
            raise Transient(f"{self._line.domain} did not take the shared status")
        self._state = None


def changed(state: Element, status: str | None) -> Element:
    """Return the full state that sets a new text: the server's own, sent back without its limits.

    The user's list of texts for the present `show` gets the new one in front; everything else,
    `show` and `invisible` included, stays as the user wants it.

    Args:
        state: `<query/>` as the server gave it.
        status: the text; cut to the server's limit. None clears it.
    """
    longest = _limit(state, "status-max", _MOST)
    query = deepcopy(state)
    for name in _LIMITS:
        query.attrib.pop(name, None)
    query.set("version", "2")
    element = query.find(_STATUS)
    if element is None:
        element = Element(_STATUS)
        query.insert(0, element)
    element.text = _cut(status or "", longest)
    if element.text:
        _put_first(query, element.text, most=_limit(state, "status-list-contents-max", _FEW))
    return query


def _put_first(query: Element, text: str, most: int) -> None:
    show = query.findtext(_SHOW) or "default"
    lists = (it for it in query.iterfind(_LIST) if it.get("show", "default") == show)
    texts = next(lists, None)
    if texts is None:
        # Lists stand before <invisible/>, as clients of the time wrote them.
        texts = Element(_LIST, show=show)
        last = max(
            (number for number, it in enumerate(query) if it.tag in (_SHOW, _LIST)), default=0
        )
        query.insert(last + 1, texts)
    others = [it.text for it in texts.iterfind(_STATUS) if it.text and it.text != text]
    for element in list(texts):
        texts.remove(element)
    for one in [text, *others][:most]:
        SubElement(texts, _STATUS).text = one


def _limit(state: Element, name: str, otherwise: int) -> int:
    value = state.get(name, "")
    return int(value) if value.isdecimal() and 0 < int(value[:6]) <= otherwise * 100 else otherwise


def _cut(text: str, longest: int) -> str:
    """Cut to so many characters, which is what servers count, at a grapheme.

    One that is longer by itself is cut all the same: better a part of the words than none.
    """
    if len(text) <= longest:
        return text
    room, end = longest - 1, 0
    for grapheme in _GRAPHEME.finditer(text, endpos=longest):
        end = grapheme.end() if grapheme.end() <= room else end
    return text[: end or room].rstrip() + "…"
