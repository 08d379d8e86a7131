"""Addresses in the fediverse: `user@server`, and the ways in which people paste them."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from lastword.sources.hosts import parse_url

EXAMPLE = "a Mastodon address is user@server, like mastodon:alice@social.example"

_USER = r"\w[\w.-]{0,99}"
_SERVER = r"[^\s/@?#\\]{1,255}"
_HANDLE = re.compile(rf"(?:acct:)?@?(?P<user>{_USER})@(?P<server>{_SERVER})", re.ASCII)
# A profile or a page beneath it, of one's own server or as another server shows it.
_PROFILE = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_SERVER})/(?:(?:web|deck)/)?(?:@|users/)"
    rf"(?P<user>{_USER})(?:@(?P<server>{_SERVER}))?(?:[/?#].*)?",
    re.ASCII | re.DOTALL,
)
_FEED = re.compile(r".*\.(?:rss|atom|json)", re.IGNORECASE)
# Profiles there are at /@name, too, and no Mastodon API answers.
_NOT_FEDIVERSE = re.compile(
    r"(?:.+\.)?(?:medium\.com|odysee\.com|substack\.com|threads\.(?:com|net)|tiktok\.com"
    r"|youtube\.com)"
)


class Place(NamedTuple):
    """Where an account is asked for.

    Attributes:
        base: the server's base URL, without a slash at its end.
        user: the account's name there.
    """

    base: str
    user: str

    @property
    def server(self) -> str:
        """The server's host, with its port where one is given."""
        return urlsplit(self.base).netloc

    @property
    def handle(self) -> str:
        """The handle in its normal form: `user@server`, or a profile's URL at plain http."""
        if self.base.startswith("http:"):
            return f"{self.base}/@{self.user}"
        return f"{self.user}@{self.server}"


def place_of(handle: str) -> Place:
    """Return the place that a handle or a profile's URL stands for.

    Raises:
        ValueError: it is neither; the message says what one looks like.
    """
    text = handle.strip()
    match = _HANDLE.fullmatch(text) or _PROFILE.fullmatch(text)
    if not match:
        raise ValueError(EXAMPLE)
    # What another server shows lives at its own server, and that speaks https.
    scheme = "https" if match["server"] else match["scheme"]
    try:
        url = parse_url(f"{scheme}://{match['server'] or match['host']}")
    except ValueError as error:
        raise ValueError(f"{error}: {EXAMPLE}") from None
    return Place(f"{scheme}://{url.netloc.decode('ascii')}", match["user"])


def recognise(pasted: str) -> str | None:
    """Return the handle that is meant, or None where it can be none.

    A profile's URL on an unknown host may still be none: only asking tells.
    """
    try:
        place = place_of(pasted)
    except ValueError:
        return None
    if _NOT_FEDIVERSE.fullmatch(place.server) or _FEED.fullmatch(place.user):
        return None
    return place.handle
