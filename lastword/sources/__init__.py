"""Where posts come from: one file per source, one line for each here."""

from lastword.sources.base import Source
from lastword.sources.bluesky import Bluesky
from lastword.sources.feed import Feed
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon
from lastword.sources.x import X

# In the order in which they are asked what a pasted address is: a feed may be anywhere.
SOURCES: dict[str, type[Source]] = {
    "x": X,
    "bluesky": Bluesky,
    "mastodon": Mastodon,
    "feed": Feed,
}


def build_sources(http: GuardedClient) -> dict[str, Source]:
    """Return a source of each kind; all share the HTTP client."""
    return {kind: source(http) for kind, source in SOURCES.items()}
