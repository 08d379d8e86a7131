"""Where posts come from: one file per source, one line for each here."""

from typing import Protocol

from lastword.sources.base import Source
from lastword.sources.feed import Feed
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon


class _Kind(Protocol):
    """A class of sources."""

    def __call__(self, http: GuardedClient) -> Source: ...

    def check(self, handle: str) -> str: ...


SOURCES: dict[str, _Kind] = {
    "feed": Feed,
    "mastodon": Mastodon,
}


def build_sources(http: GuardedClient) -> dict[str, Source]:
    """Return a source of each kind; all share the HTTP client."""
    return {kind: source(http) for kind, source in SOURCES.items()}
