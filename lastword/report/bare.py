"""A picture of pygal's without what a page has itself: style, script, and notes for that script."""

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]
from markupsafe import Markup

_WORTHLESS = ("defs", "desc", "title")
_PLACES = ("x", "y", "width", "height", "d", "transform")
_NUMBER = re.compile(r"\d+\.\d+")


def bare(root: Any, name: str) -> Markup:  # noqa: ANN401 (lxml is untyped)
    """Return the picture to stand within HTML; a bar keeps its note, as its title.

    Args:
        root: the picture's root element, which is changed.
        name: its class.
    """
    notes = {
        bar: bar.findtext("desc[@class='label']") for bar in root.iterfind(".//g[@class='bar']")
    }
    for found in list(root.iter(etree.Comment, *_WORTHLESS)):
        _remove(found)
    for found in root.xpath(".//g[contains(@class, 'overlay')] | .//rect[@class='background']"):
        _remove(found)
    for bar, note in notes.items():
        if note is None:  # its value is 0
            _remove(bar)
        else:
            rectangle = bar.find("rect")
            _keep(rectangle, _PLACES)
            etree.SubElement(rectangle, "title").text = note
    for element in root.iter():
        for place in _PLACES:
            if place in element.attrib:
                element.set(place, _NUMBER.sub(_rounded, element.get(place)))
    _keep(root, ("viewBox",))
    root.set("class", name)
    etree.cleanup_namespaces(root)
    # Made of elements: what stands in it as text is escaped.
    return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704


def _keep(element: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
    for name in set(element.attrib) - set(names):
        del element.attrib[name]


def _remove(element: Any) -> None:  # noqa: ANN401
    element.getparent().remove(element)


def _rounded(number: "re.Match[str]") -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
