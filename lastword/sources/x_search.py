"""X's search in place of its accounts: it bills new posts only, and sees nothing else.

https://docs.x.com/x-api/posts/search/introduction
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from lastword.sources.batches import Batches
from lastword.sources.x_api import Api
from lastword.sources.x_post import id_of
from models.types import now

_LONGEST_QUERY = 512
_LONGEST_ID = 19
_REST = " -is:retweet -is:reply"
_SIZE = (_LONGEST_QUERY - len("()" + _REST)) // (len("from: OR ") + _LONGEST_ID)

REACH = timedelta(days=6)
"""X searches seven days; an account that was last asked before that is looked up instead."""
_MARGIN = timedelta(minutes=1)
"""What X may need until a post can be found."""
_TWITTER_EPOCH = 1_288_834_974_657
_BITS_BESIDE_TIME = 22


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found of one account.

    Attributes:
        posts: JSON objects, from the newest on.
        since: the id to search from next time.
    """

    posts: Sequence[dict[str, Any]]
    since: str


class Search:
    """The searches of one run: accounts that were last asked at the same time share a query.

    Args:
        api: X's.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._next = since_id(now() - _MARGIN)
        self._batches: dict[str, Batches[str, Found]] = {}

    @property
    def since(self) -> str:
        """The id to search from in the next run."""
        return self._next

    def expect(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Learn which accounts (id, since) will be asked for."""
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for user_id, since in accounts:
            ids[since].append(user_id)
        for since, known in ids.items():
            self._of(since).expect(known)

    async def load(self, user_id: str, since: str) -> Found | None:
        """Return what an account has written since, or None where a search cannot tell.

        Raises:
            LastWordError: see `Api.users`.
        """
        return await self._of(since).load(user_id)

    def _of(self, since: str) -> Batches[str, Found]:
        return self._batches.setdefault(since, Batches(partial(self._fetch, since), _SIZE))

    async def _fetch(self, since: str, ids: Sequence[str]) -> Mapping[str, Found]:
        authors = " OR ".join(f"from:{one}" for one in ids)
        pages, all_told = await self._api.search(f"({authors}){_REST}", since)
        posts: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for post in chain.from_iterable(_posts(page) for page in pages):
            posts[str(post.get("author_id"))].append(post)
        # Whoever writes a lot may hide who writes little on a page that is not asked for.
        known = [one for one in ids if all_told or one in posts]
        return {one: Found(posts[one], self._next) for one in known}


def since_id(moment: datetime) -> str:
    """Return the id that a post of that moment would have: X's ids hold their time."""
    milliseconds = int(moment.timestamp() * 1000) - _TWITTER_EPOCH
    return str(max(milliseconds, 0) << _BITS_BESIDE_TIME)


def time_of(since: str) -> datetime:
    """Return the moment of an id, in UTC."""
    milliseconds = (int(since) >> _BITS_BESIDE_TIME) + _TWITTER_EPOCH
    return datetime.fromtimestamp(milliseconds / 1000, tz=now().tzinfo)


def _posts(page: dict[str, Any]) -> list[dict[str, Any]]:
    data = page.get("data")
    found = data if isinstance(data, list) else []
    return [post for post in found if isinstance(post, dict) and id_of(post.get("id"))]
