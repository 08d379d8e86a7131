"""HTML of posts to plain text.

libxml2's tokenizer takes a time that grows with the length of the text. The standard library's
does not: 20 kB of "<a " hold it up for seconds.
"""

import re

from lxml import etree  # type: ignore[import-untyped]

_BREAKS = re.compile(
    "address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header|hr"
    "|li|main|nav|ol|p|pre|section|table|tr|ul"
)
_DROPPED = re.compile("head|iframe|noscript|object|script|style|svg|template|title")
_LONGEST = 100_000
_SPACES = re.compile(r"\s+")


def tidy(text: str) -> str:
    """Return the text with single spaces, and without empty lines."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(filter(None, lines))


def to_text(html: str) -> str:
    """Return what a reader sees, a line for each paragraph, item or break.

    Links keep their words: Mastodon hides parts of a link's address, but they stay in its text.
    Its `quote-inline` paragraphs, a fallback that repeats the address of a quoted post, are left
    out. What comes after the first 100,000 characters is not read.
    """
    if not html.strip():
        return ""
    parser = etree.HTMLParser(
        target=_Text(), encoding="utf-8", no_network=True, remove_comments=True
    )
    return tidy(etree.fromstring(html[:_LONGEST].encode("utf-8", "ignore"), parser))


class _Text:
    """Collects text from the parser's events, which are balanced even where the HTML is not."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._depth_dropped = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        classes = attributes.get("class", "").split()
        if self._depth_dropped or _DROPPED.fullmatch(name) or "quote-inline" in classes:
            self._depth_dropped += 1
        elif _BREAKS.fullmatch(name):
            self._parts.append("\n")

    def end(self, tag: str) -> None:
        if self._depth_dropped:
            self._depth_dropped -= 1
        elif _BREAKS.fullmatch(tag.rpartition(":")[2]):
            self._parts.append("\n")

    def data(self, data: str) -> None:
        if not self._depth_dropped:
            self._parts.append(_SPACES.sub(" ", data))

    def close(self) -> str:
        return "".join(self._parts)
