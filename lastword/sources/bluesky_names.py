"""What Bluesky's accounts are called: handles, and the DIDs that stay when handles change.

https://atproto.com/specs/handle and https://atproto.com/specs/did
"""

import re
from urllib.parse import unquote

EXAMPLE = "a Bluesky address is a handle or a DID, like bluesky:alice.example"

_LONGEST = 253
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HANDLE = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
# Only localhost may have a port, for those who try things out.
_DID = re.compile(
    rf"did:(?:plc:[a-z2-7]{{24}}|web:(?:{_HANDLE.pattern}|localhost(?:%3a\d{{1,5}})?))"
)
_PASTED = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"(?:https?://)?(?:www\.)?bsky\.app/profile/([^/?#\s]+)(?:[/?#]\S*)?",
        r"at://([^/?#\s]+)(?:[/?#]\S*)?",
        r"(?:https?://)?([^/?#@:\s]+\.bsky\.social)/?",
        r"@([^@/:\s]+)",
        r"(did:[^/?#\s]+)",
    )
]
# Bluesky's app puts them around the handles that people copy.
_DIRECTION_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def checked_name(text: str) -> str:
    """Return a handle or DID in its normal form, also where it stands in a pasted address.

    Raises:
        ValueError: it cannot be one; the message says what one looks like.
    """
    name = recognised(text) or _normal(_bare(text))
    if name is None:
        raise ValueError(EXAMPLE)
    if name == "handle.invalid":
        raise ValueError(f"handle.invalid stands for a handle that does not work: {EXAMPLE}")
    return name


def recognised(pasted: str) -> str | None:
    """Return the handle or DID of an address that can only be Bluesky's.

    A domain by itself is none of them: it may as well be a blog.
    """
    text = _bare(pasted)
    match = next(filter(None, (pattern.fullmatch(text) for pattern in _PASTED)), None)
    return _normal(match[1]) if match else None


def is_did(text: object) -> bool:
    """Tell whether it is a DID, in its normal form, of a method that atproto supports."""
    return isinstance(text, str) and text.startswith("did:") and _normal(text) == text


def is_handle(text: str) -> bool:
    """Tell whether it is a handle in its normal form."""
    return len(text) <= _LONGEST and bool(_HANDLE.fullmatch(text))


def _bare(text: str) -> str:
    return text.strip().strip(_DIRECTION_MARKS).strip()


def _normal(name: str) -> str | None:
    if not name.isascii():  # or lower() makes k of the Kelvin sign
        return None
    name = name.lower()
    if name.startswith("did%3a"):  # as some browsers copy it
        name = unquote(name)
    if len(name) <= _LONGEST and _DID.fullmatch(name):
        return name.replace("%3a", "%3A")
    return name if is_handle(name) else None
