"""XML as it is found in the wild, to a tree: repaired where that is safe, and as far as it goes."""

import re
from collections import deque
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

_BARE_AMPERSAND = re.compile(rb"&(?!#\d+;|#[xX][\da-fA-F]+;|(?:amp|lt|gt|quot|apos);)")
# Halves of characters: D800 to DFFF, which are within 55000 to 57999.
_HALVES = re.compile(rb"(?:&#(?:[xX]0*[dD][89a-fA-F][\da-fA-F]{2}|0*5[5-7]\d{3});)+")


def tree_of(body: bytes, url: str) -> tuple[Any, bool]:
    """Return the root, and whether all of the body could be read.

    Args:
        body: XML.
        url: where it came from; relative links are read against it.

    Raises:
        ValueError: it is not XML, or declares entities.
    """
    body, is_whole = body.strip(), True
    try:
        root = etree.fromstring(body, _parser(recover=False), base_url=url)
    except etree.XMLSyntaxError:
        parser = _parser(recover=True)
        try:
            root = etree.fromstring(_repaired(body), parser, base_url=url)
        except etree.XMLSyntaxError as error:
            raise ValueError("it is not XML") from error
        is_whole = all(it.level < etree.ErrorLevels.FATAL for it in parser.error_log)
    if root is None:
        raise ValueError("it is not XML")
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise ValueError("it declares entities")
    return root, is_whole


def breaks_off_within(body: bytes, *names: str) -> bool:
    """Tell whether XML ends before the last element of one of these names does."""
    tags = rf"<(/?)(?:[\w.-]+:)?(?:{'|'.join(names)})\b[^>]*"
    last = deque(re.finditer(tags.encode(), body, re.IGNORECASE), maxlen=1)
    return any(not it[1] and not it[0].endswith(b"/") for it in last)


def _repaired(body: bytes) -> bytes:
    """Mend the commonest mistakes: libxml2 would drop all ampersands, and keep halves apart."""
    if b"\0" in body:
        return body
    return _HALVES.sub(_joined, _BARE_AMPERSAND.sub(b"&amp;", body))


def _joined(halves: re.Match[bytes]) -> bytes:
    """Return references to whole characters for those to UTF-16's halves; the rest is dropped."""
    numbers = (it.strip(b"&#;").lower() for it in halves[0].split(b";") if it)
    text = "".join(chr(int(it[1:], 16) if it.startswith(b"x") else int(it)) for it in numbers)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return "".join(f"&#{ord(it)};" for it in whole).encode()


def _parser(*, recover: bool) -> Any:  # noqa: ANN401  # lxml is untyped
    """Return a parser that fetches nothing, expands no entity, and keeps libxml2's limits."""
    return etree.XMLParser(
        recover=recover,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
