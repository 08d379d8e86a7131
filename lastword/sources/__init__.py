"""Where posts come from: one file per source, one line for each here."""

from lastword.sources.base import Source
from lastword.sources.bluesky import Bluesky
from lastword.sources.feed import Feed
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon

SOURCES: dict[str, type[Source]] = {
    "bluesky": Bluesky,
    "feed": Feed,
    "mastodon": Mastodon,
}


def build_sources(http: GuardedClient) -> dict[str, Source]:
    """Return a source of each kind; all share the HTTP client."""
    return {kind: source(http) for kind, source in SOURCES.items()}
