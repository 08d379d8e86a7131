"""The site where the people of the demo write: Atom, JSON Feed and Mastodon's API in one.

A host that never answers belongs to it: a socket that accepts connections, and stays silent.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.formats import as_account, as_atom, as_json_feed, as_status
from demo.people import Person
from demo.serving import BACKLOG, serving

HOST = "localhost"
_GENEROUS = {
    "X-RateLimit-Limit": "100000",
    "X-RateLimit-Remaining": "100000",
    "X-RateLimit-Reset": "2099-01-01T00:00:00Z",
}
"""Instead of the 300 requests in 5 minutes that a Mastodon server is thought to allow."""


class Site:
    """Serves people's posts on loopback while its block lasts.

    Args:
        people: who writes; their posts may change meanwhile.
        ssl_context: the server's, for `localhost`; without it, plain http is served.
        latency: seconds that each answer takes longer.
    """

    def __init__(
        self,
        people: Iterable[Person],
        ssl_context: ssl.SSLContext | None = None,
        *,
        latency: float = 0,
    ) -> None:
        self._people = {person.name: person for person in people}
        self._numbers = {name: str(place) for place, name in enumerate(self._people)}
        self._names = {number: name for name, number in self._numbers.items()}
        self._ssl_context = ssl_context
        self._scheme = "https" if ssl_context else "http"
        self._latency = latency
        self._stack = AsyncExitStack()
        self._end = asyncio.Event()
        self._port = self._silent_port = 0

    async def __aenter__(self) -> Self:
        routes = [
            Route("/atom/{name}.xml", self._slowly(self._atom)),
            Route("/json/{name}.json", self._slowly(self._json)),
            Route("/api/v1/accounts/lookup", self._slowly(self._lookup)),
            Route("/api/v1/accounts/{number}/statuses", self._slowly(self._statuses)),
        ]
        app = Starlette(routes=routes)
        self._port = await self._stack.enter_async_context(serving(app, self._ssl_context))
        silent = await asyncio.start_server(self._stay_silent, "127.0.0.1", 0, backlog=BACKLOG)
        await self._stack.enter_async_context(silent)
        self._stack.callback(self._end.set)
        self._silent_port = silent.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def base(self) -> str:
        """The site's URL."""
        return f"{self._scheme}://{HOST}:{self._port}"

    @property
    def allow_hosts(self) -> frozenset[str]:
        """What `LASTWORD_ALLOW_HOSTS` must hold for the site to be asked."""
        return frozenset({f"{HOST}:{self._port}", f"{HOST}:{self._silent_port}"})

    def source_address(self, person: Person) -> str:
        """Return where Last Word finds a person's posts."""
        host = f"{HOST}:{self._silent_port if person.silent else self._port}"
        if person.kind == "mastodon" and self._ssl_context:
            return f"mastodon:{person.name}@{host}"
        base = f"{self._scheme}://{host}"
        if person.kind == "mastodon":
            return f"mastodon:{base}/@{person.name}"
        suffix = "xml" if person.kind == "atom" else "json"
        return f"feed:{base}/{person.kind}/{person.name}.{suffix}"

    def change_post(self, name: str, text: str) -> None:
        """Let a person write a new post."""
        self._people[name].write(text)

    def newest(self, name: str) -> str | None:
        """Return what a person's status must become now."""
        return self._people[name].expected

    def _slowly(
        self, answer: Callable[[Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            if self._latency:
                await asyncio.sleep(self._latency)
            return answer(request)

        return respond

    def _atom(self, request: Request) -> Response:
        return self._feed(request, as_atom, "application/atom+xml")

    def _json(self, request: Request) -> Response:
        return self._feed(request, as_json_feed, "application/feed+json")

    def _feed(
        self, request: Request, write: Callable[[Person, str], bytes], media_type: str
    ) -> Response:
        person = self._people.get(request.path_params["name"])
        if person is None:
            return Response(status_code=404)
        if person.gone:
            return Response(status_code=410)
        body = write(person, self.base)
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type=media_type, headers={"etag": etag})

    def _lookup(self, request: Request) -> Response:
        name = request.query_params.get("acct", "")
        if name not in self._people:
            return JSONResponse({"error": "Record not found"}, status_code=404)
        return JSONResponse(self._account(name), headers=_GENEROUS)

    def _statuses(self, request: Request) -> Response:
        """Answer like those compatible servers that ignore filters: the choice is the client's."""
        name = self._names.get(request.path_params["number"])
        if name is None:
            return JSONResponse({"error": "Record not found"}, status_code=404)
        account = self._account(name)
        statuses = [as_status(post, account) for post in self._people[name].posts]
        return JSONResponse(statuses, headers=_GENEROUS)

    def _account(self, name: str) -> dict[str, Any]:
        return as_account(self._people[name], self._numbers[name], self.base)

    async def _stay_silent(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._end.wait()
        writer.close()
