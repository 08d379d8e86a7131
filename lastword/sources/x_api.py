"""Asking X's API, version 2, with the app's own bearer token.

https://docs.x.com/x-api
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import SecretStr

from lastword.errors import Deferred, LastWordError, Rejected, Systemic, Transient
from lastword.sources.allowance import Allowance
from lastword.sources.answers import PASSING, asked_until
from lastword.sources.http import GuardedClient, Reply
from lastword.sources.items import read_apart
from lastword.sources.x_user import Key, User, users_of

Word = Literal["tweet", "post"]

# Of an app: https://docs.x.com/x-api/fundamentals/rate-limits
_QUARTER = 900
_USERS = Allowance(300, _QUARTER)
_TIMELINES = Allowance(10_000, _QUARTER)
_SEARCH = Allowance(450, _QUARTER)

_MOST_BYTES = 8 << 20
"""A hundred long posts are larger than what a stranger's server may send."""
_PAGES = 10


class Api:
    """X's API, as far as it is needed.

    Args:
        http: the guarded client.
        base: where it is, without a slash.
        token: the app's.
        word: what it calls posts in requests; answers are read under both names.
    """

    def __init__(self, http: GuardedClient, base: str, token: SecretStr | None, word: Word) -> None:
        self._http = http
        self._base = base
        self._token = token
        self._word = word
        names = f"id,text,created_at,author_id,in_reply_to_user_id,entities,note_{word}"
        self._fields = {f"{word}.fields": f"{names},referenced_{word}s"}

    async def users(self, key: Key, names: Sequence[str]) -> Mapping[str, User | LastWordError]:
        """Return what X says of each account, with its newest post.

        Args:
            key: by what they are asked for.
            names: ids, or names in lower case; at most 100.

        Raises:
            LastWordError: Deferred, Transient, or Systemic where the app is in trouble.
        """
        path, parameter = ("users", "ids") if key == "id" else ("users/by", "usernames")
        given = {
            parameter: ",".join(names),
            "expansions": f"most_recent_{self._word}_id",
            "user.fields": f"protected,username,most_recent_{self._word}_id",
        }
        return users_of(await self._page(path, given | self._fields, _USERS), key)

    async def own_posts(self, user_id: str, count: int) -> dict[str, Any]:
        """Return a page of an account's newest posts that are neither replies nor reposts.

        Args:
            user_id: the account's.
            count: how many, 5 to 100.

        Raises:
            LastWordError: see `users`.
        """
        given = {"max_results": str(count), "exclude": "replies,retweets"}
        path = f"users/{user_id}/{self._word}s"
        return await self._page(path, given | self._fields, _TIMELINES)

    async def search(self, query: str, since: str) -> tuple[list[dict[str, Any]], bool]:
        """Return the pages of posts of the last seven days, from the newest on, ten at most.

        Args:
            query: in X's language, at most 512 characters.
            since: id of a post of these days; what is newer is returned.

        Returns:
            The pages, and whether these are all.

        Raises:
            LastWordError: see `users`.
        """
        given = {"query": query, "since_id": since, "max_results": "100"} | self._fields
        pages: list[dict[str, Any]] = []
        path = f"{self._word}s/search/recent"
        while len(pages) < _PAGES:
            pages.append(await self._page(path, given, _SEARCH))
            meta = pages[-1].get("meta")
            token = meta.get("next_token") if isinstance(meta, dict) else None
            if not isinstance(token, str):
                return pages, True
            given["next_token"] = token
        return pages, False

    async def _page(
        self, path: str, given: Mapping[str, str], allowance: Allowance
    ) -> dict[str, Any]:
        if self._token is None:
            raise _systemic("X is not set up: set LASTWORD_X_TOKEN to your app's bearer token")
        url = f"{self._base}/2/{path}?{urlencode(given, safe=',')}"
        try:
            reply = await self._http.get(
                url,
                token=self._token,
                expected=range(400, 500),
                allowance=allowance,
                most=_MOST_BYTES,
            )
        except Rejected as error:
            # It is about the API's own address or answers, never about the one account.
            raise _systemic(f"X's API cannot be used: {error}") from error
        page = await _object(reply)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(reply, page)
        return page


def _systemic(message: str) -> Systemic:
    return Systemic(message, kind="x")


async def _object(reply: Reply) -> dict[str, Any]:
    """Return the JSON object that X answers; where it refuses, anything may stand in its place."""
    try:
        page = await read_apart(lambda body, _: json.loads(body), reply.body, reply.url)
    except (ValueError, RecursionError):
        page = None
    if isinstance(page, dict):
        return page
    if reply.status >= HTTPStatus.BAD_REQUEST:
        return {}
    raise Transient("X does not answer in the way of its API now")


# https://docs.x.com/x-api/fundamentals/response-codes-and-errors
_APP_IN_TROUBLE = {
    401: "X refuses the app's token (401): set LASTWORD_X_TOKEN to a new bearer token",
    402: "the app's credits at X are used up (402): buy more in X's developer console",
    403: "X forbids the app to read (403): see its project and access in X's developer console",
}
_CAPPED = (
    "the app has reached its usage cap at X: raise it in X's developer console, or wait for the"
    " next month"
)


def _refusal(reply: Reply, page: dict[str, Any]) -> LastWordError:
    """Return what a status of 4xx means."""
    if str(page.get("type", "")).endswith("/usage-capped"):
        return _systemic(_CAPPED)
    if trouble := _APP_IN_TROUBLE.get(reply.status):
        return _systemic(trouble)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Deferred("X allows no more requests for now", asked_until(reply.headers))
    if reply.status in PASSING:
        return Transient(f"X answers {reply.status}")
    return _systemic(
        f"X does not accept our requests ({reply.status}): if it has renamed tweets to posts,"
        " set LASTWORD_X_WORD=post; otherwise a newer version of this program is needed"
    )
