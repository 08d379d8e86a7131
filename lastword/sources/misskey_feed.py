"""Feeds of Misskey and its forks, of which the title says nothing and the summary warns.

https://github.com/misskey-dev/misskey/blob/develop/packages/backend/src/server/web/FeedService.ts
"""

from collections.abc import Iterator

_TITLE = "New note by "


def is_misskeys(titles: Iterator[str]) -> bool:
    """Tell whether a feed whose items have these titles is Misskey's: all are the same.

    Forks give names of their own in its place for a generator, and JSON Feeds have none.
    """
    first = next(titles, "").strip()
    return first.startswith(_TITLE) and all(title.strip() == first for title in titles)
