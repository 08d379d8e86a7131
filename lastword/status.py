"""A post becomes a status: a pure function of the two, cleaned so that no server chokes on it."""

import unicodedata
from string import Formatter

import regex

from lastword.post import Post

LENGTH = 200
"""Graphemes in a status, unless told otherwise."""

FIELDS = ("text", "url", "source")

# What XML 1.0 (section 2.2) forbids ends the stream as not-well-formed; the noncharacters and
# C1 controls that it merely discourages are refused by some servers too.
_UNFIT = regex.compile(r"[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]")
_SPACES = regex.compile(r"\s+")
# Bidirectional overrides and isolates would leak out of the status into the contact list.
_DIRECTION = regex.compile(r"[\u202a-\u202e\u2066-\u2069]")
_GRAPHEME = regex.compile(r"\X")
# Eight marks on one letter are more than any script needs; thousands cover the lines above.
_MARKS = regex.compile(r"(\p{M}{8})\p{M}+")
_CODE_POINTS = 16
"""Of a grapheme, on average, in a status: emoji are made of a dozen."""
# Neither is looked for in a link: what is left of it would lead elsewhere.
_NO_LINK = r"https?://\S+(*SKIP)(*FAIL)|"
_MENTION = regex.compile(_NO_LINK + r"(?<![\w@./])(?:@\w(?:[\w.-]*\w)?)+")
_HASHTAG = regex.compile(_NO_LINK + r"(?<![\w/&])[#\uff03][\w]*[\p{L}_][\w]*")
_VISIBLE = regex.compile(r"[^\s\p{Default_Ignorable_Code_Point}\u2800]")


def check_template(template: str) -> None:
    """Check that a template names only what a post can fill.

    Raises:
        ValueError: it does not; the message says what is wrong.
    """
    known = ", ".join(f"{{{field}}}" for field in FIELDS)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"the template {template!r} is malformed ({error}): it takes {known}"
        ) from None
    fields = [field for _, field, _, _ in parts if field is not None]
    if any(field not in FIELDS for field in fields) or any(
        spec or conv for _, _, spec, conv in parts
    ):
        raise ValueError(f"the template {template!r} has an unknown field: it takes {known}")
    if "text" not in fields and "url" not in fields:
        raise ValueError(
            f"the template {template!r} shows nothing of a post: give it {{text}} or {{url}}"
        )


def clean(text: str) -> str:
    """Return the text as one line of valid XML characters in NFC; empty where none can be seen."""
    text = _UNFIT.sub("", _SPACES.sub(" ", text))
    text = unicodedata.normalize("NFC", _DIRECTION.sub("", text))
    text = _MARKS.sub(r"\1", text)
    if not _VISIBLE.search(text):
        return ""
    return _SPACES.sub(" ", text).strip()


def cut(text: str, length: int) -> str:
    """Return at most `length` graphemes (UAX #29), an ellipsis where something was cut.

    They are bounded in code points, too: one grapheme may be made of any number of them.
    """
    longest = length * _CODE_POINTS
    graphemes = _GRAPHEME.findall(text, endpos=longest + 1)
    if len(graphemes) <= length and len(text) <= longest:
        return text
    if length <= 0:
        return ""
    kept = "".join(graphemes[: length - 1])
    if len(kept) >= longest:
        kept = "".join(graphemes[:-1])[: longest - 1]
    return kept.rstrip() + "…"


def status_of(
    post: Post,
    *,
    template: str = "{text}",
    source: str = "",
    length: int = LENGTH,
    mentions: bool = True,
    hashtags: bool = True,
) -> str:
    """Return the status that a post becomes.

    Args:
        post: the post; its text is the content warning where there is one.
        template: text with the fields `{text}`, `{url}`, `{source}`.
        source: the source address, for `{source}`.
        length: graphemes at most; the post's text gives way, so that a link stays whole. One for
            which there is no room at all is left out.
        mentions: whether its `@user` and `@user@host` are kept.
        hashtags: whether its `#tags` are kept.
    """
    said = clean(post.text)
    said = said if mentions else clean(_MENTION.sub("", said))
    said = said if hashtags else clean(_HASHTAG.sub("", said))
    rest = {"url": clean(post.url or ""), "source": clean(source)}
    frame = clean(template.format(text="", **rest))
    if len(_GRAPHEME.findall(frame)) > length:  # half a link leads nowhere
        rest["url"] = ""
        frame = clean(template.format(text="", **rest))
    # The space that joined text and frame counts too.
    room = length - len(_GRAPHEME.findall(frame)) - (1 if frame else 0)
    text = cut(said, room if "{text}" in template else 0)
    return cut(clean(template.format(text=text, **rest)), length)
