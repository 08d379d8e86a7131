"""X's API on loopback: its documented endpoints, limits, headers and errors, and what it bills.

https://docs.x.com/x-api/users/lookup, /posts/timelines, /posts/search, /fundamentals/rate-limits
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.serving import serving

TOKEN = "AAAA%2Bbearer"
PROBLEMS = "https://api.twitter.com/2/problems"
QUARTER = 900
WEEK = 7 * 24 * 3600
_EPOCH = 1_288_834_974_657


def snowflake(seconds_ago: float = 0, number: int = 0) -> str:
    """Return an id as X makes them: it holds its time."""
    milliseconds = int((time.time() - seconds_ago) * 1000) - _EPOCH
    return str((milliseconds << 22) + number)


def problem(kind: str, title: str, status: int, **more: object) -> Response:
    said = {"title": title, "type": f"{PROBLEMS}/{kind}" if kind else "about:blank"}
    return JSONResponse(said | {"status": status, "detail": title} | more, status)


class XServer:
    """Knows users and their posts, from the newest on.

    Attributes:
        users: by id.
        posts: of each user id.
        suspended: ids.
        word: what it calls posts, `tweet` or `post`.
        limits: requests in fifteen minutes, by endpoint.
        instead: what every request is answered instead.
        page: what lookups answer instead.
        asked: paths, each with the number of accounts or the query.
        billed: what was read.
    """

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.suspended: set[str] = set()
        self.word = "tweet"
        self.limits = {"users": 300, "timeline": 10_000, "search": 450}
        self.instead: Response | None = None
        self.page: Any = None
        self.asked: list[str] = []
        self.billed: Counter[str] = Counter()
        self.reset = int(time.time()) + QUARTER
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, number: int, *posts: dict[str, Any], **more: object) -> str:
        """Add a user; return its id."""
        user_id = str(1_000_000 + number)
        self.users[user_id] = {"id": user_id, "name": "N", "username": f"User{number}"} | more
        self.posts[user_id] = [{"author_id": user_id} | post for post in posts]
        return user_id

    def app(self) -> Starlette:
        endpoints = {
            "/2/users": ("users", self.lookup),
            "/2/users/by": ("users", self.lookup),
            f"/2/users/{{id}}/{self.word}s": ("timeline", self.timeline),
            f"/2/{self.word}s/search/recent": ("search", self.search),
        }
        return Starlette(
            routes=[
                Route(path, self._guarded(kind, answer))
                for path, (kind, answer) in endpoints.items()
            ]
        )

    def _guarded(self, kind: str, answer: Any) -> Any:  # noqa: ANN401 (starlette's)
        def guarded(request: Request) -> Response:
            self.asked.append(kind)
            if self.instead:
                return self.instead
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return problem("", "Unauthorized", 401)
            if len([it for it in self.asked if it == kind]) > self.limits[kind]:
                response = problem("", "Too Many Requests", 429)
            else:
                response = answer(request)
            left = self.limits[kind] - self.asked.count(kind)
            response.headers["x-rate-limit-limit"] = str(self.limits[kind])
            response.headers["x-rate-limit-remaining"] = str(max(0, left))
            response.headers["x-rate-limit-reset"] = str(self.reset)
            return response

        return guarded

    def lookup(self, request: Request) -> Response:
        by_name = request.url.path.endswith("/by")
        parameter, pattern = ("usernames", r"\w{1,15}") if by_name else ("ids", r"\d{1,19}")
        names = request.query_params.get(parameter, "").split(",")
        if not 1 <= len(names) <= 100 or not all(re.fullmatch(pattern, it) for it in names):
            return self._invalid(parameter)
        if request.query_params.get("expansions") != f"most_recent_{self.word}_id":
            return self._invalid("expansions")
        if self.page is not None:
            return JSONResponse(self.page)
        page: dict[str, Any] = {"data": [], "errors": [], "includes": {f"{self.word}s": []}}
        for name in names:
            self._look_up(name, parameter, page)
        self.billed["users"] += len(page["data"])
        self.billed["posts"] += len(page["includes"][f"{self.word}s"])
        return JSONResponse({key: value for key, value in page.items() if value})

    def _look_up(self, name: str, parameter: str, page: dict[str, Any]) -> None:
        key = "id" if parameter == "ids" else "username"
        user = next((it for it in self.users.values() if it[key].lower() == name.lower()), None)
        if user is None or user["id"] in self.suspended:
            what = "User has been suspended" if user else f"Could not find user with {parameter}"
            page["errors"].append(
                {
                    "value": name,
                    "detail": f"{what}: [{name}].",
                    "title": "Forbidden" if user else "Not Found Error",
                    "resource_type": "user",
                    "parameter": parameter,
                    "resource_id": name,
                    "type": f"{PROBLEMS}/resource-not-found",
                }
            )
            return
        posts = self.posts[user["id"]]
        page["data"].append(
            {"protected": False}
            | user
            | ({f"most_recent_{self.word}_id": posts[0]["id"]} if posts else {})
        )
        if posts and not user.get("protected"):
            page["includes"][f"{self.word}s"].append(posts[0])

    def timeline(self, request: Request) -> Response:
        count = int(request.query_params["max_results"])
        if not 5 <= count <= 100:
            return self._invalid("max_results")
        found = self.posts[request.path_params["id"]]
        if request.query_params.get("exclude") == "replies,retweets":
            found = [it for it in found if not self._is_no_own(it)]
        self.billed["posts"] += len(found[:count])
        return JSONResponse({"data": found[:count], "meta": {"result_count": len(found[:count])}})

    def search(self, request: Request) -> Response:
        query, since = request.query_params["query"], int(request.query_params["since_id"])
        if len(query) > 512:
            return self._invalid("query")
        if (since >> 22) + _EPOCH < (time.time() - WEEK) * 1000:
            return self._invalid("since_id")
        self.asked[-1] = f"search {query.count('from:')}"
        authors = re.findall(r"from:(\d+)", query)
        found = [it for one in authors for it in self.posts[one] if int(it["id"]) > since]
        found = sorted(found, key=lambda it: -int(it["id"]))
        if "-is:retweet -is:reply" in query:
            found = [it for it in found if not self._is_no_own(it)]
        start = int(request.query_params.get("next_token", "0"))
        count = int(request.query_params["max_results"])
        page = found[start : start + count]
        self.billed["posts"] += len(page)
        meta: dict[str, Any] = {"result_count": len(page)}
        if start + count < len(found):
            meta["next_token"] = str(start + count)
        return JSONResponse(({"data": page} if page else {}) | {"meta": meta})

    def _is_no_own(self, post: dict[str, Any]) -> bool:
        kinds = [it["type"] for it in post.get(f"referenced_{self.word}s", [])]
        return "replied_to" in kinds or "retweeted" in kinds or "in_reply_to_user_id" in post

    def _invalid(self, parameter: str) -> Response:
        errors = [{"parameters": {parameter: ["…"]}, "message": f"{parameter} is not valid"}]
        return problem("invalid-request", "Invalid Request", 400, errors=errors)


@asynccontextmanager
async def running(word: str = "tweet") -> AsyncIterator[XServer]:
    """Serve X's API."""
    server = XServer()
    server.word = word
    async with serving(server.app()) as server.port:
        yield server
