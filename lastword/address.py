"""Source addresses: `kind:handle`, the one string that says where an account's posts are."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from lastword.sources import SOURCES
from lastword.sources.feed import with_scheme

_EXAMPLE = "a source address is kind:handle, like mastodon:alice@social.example"
_LONGEST = 2_048
# Quotation marks, the brackets that mail puts around addresses, and what nobody sees.
_AROUND = "<>\"'\u2018\u2019\u201c\u201d\u00ab\u00bb\u200b\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """A source address in its normal form; `str()` gives the string.

    Attributes:
        kind: a name in `lastword.sources.SOURCES`.
        handle: what the source calls it: a user, a URL.
    """

    kind: str
    handle: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.handle}"

    @property
    def host(self) -> str:
        """The host that is asked, with its port where one is given."""
        return SOURCES[self.kind].host(self.handle)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that people typed.

        Raises:
            ValueError: it is none; the message says what a right one looks like.
        """
        kind, _, handle = text.strip().partition(":")
        kind, handle = kind.strip().lower(), handle.strip()
        if not kind or not handle or kind in ("http", "https"):
            raise ValueError(f"{_EXAMPLE} or feed:https://blog.example/feed.xml")
        if kind not in SOURCES:
            close = get_close_matches(kind, SOURCES, n=1)
            guess = f": did you mean {close[0]!r}?" if close else ";"
            raise ValueError(
                f"unknown kind {kind[:32]!r}{guess} known kinds are {', '.join(SOURCES)}"
            )
        return cls(kind, SOURCES[kind].check(handle))


def understand(pasted: str) -> SourceAddress:
    """Return the address that somebody means, who gives one or pastes what is at hand.

    That may be an address as `SourceAddress.parse` takes it, a profile's or blog's web address
    with or without its https://, or a handle such as @alice@social.example. The first source
    that recognises it has it, in the order of `SOURCES`.

    Raises:
        ValueError: nobody recognises it; the message says what a right one looks like.
    """
    text = pasted.strip().strip(_AROUND).strip()
    if len(text) > _LONGEST:
        raise ValueError(f"that is longer than {_LONGEST} characters: {_EXAMPLE}")
    if text.partition(":")[0].strip().lower() not in SOURCES:
        forms = dict.fromkeys((text, with_scheme(text)))
        for kind, source in SOURCES.items():
            for handle in filter(None, map(source.recognise, forms)):
                return SourceAddress(kind, source.check(handle))
    return SourceAddress.parse(text)
