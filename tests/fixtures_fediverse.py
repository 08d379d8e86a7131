"""Servers of the fediverse that answer as told."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.serving import serving
from lastword.sources.http import GuardedClient
from models import Account
from tests.fixtures_http import Client

DATA = Path(__file__).parent / "data" / "mastodon"
STATUSES: list[dict[str, Any]] = json.loads((DATA / "plain.json").read_text("utf-8"))


class Instance:
    """A server with accounts, each with statuses.

    Attributes:
        accounts: by name, as the API shows them.
        statuses: by id.
        feeds: by path, as Atom or RSS.
        token: demanded of everyone who asks the API.
        instead: is answered by the API, whatever is asked.
        batch: is answered by the API where it is asked for many accounts.
        without: what the server does not know: "lookup", "names".
        asked: what was asked for, in order.
    """

    def __init__(self, *, tls: bool) -> None:
        self._tls = tls
        self.accounts: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, Any] = {}
        self.feeds: dict[str, str] = {}
        self.token: str | None = None
        self.instead: Response | None = None
        self.batch: Response | None = None
        self.without = {"names"}
        self.asked: list[str] = []
        self.authorization: list[str | None] = []
        self.parameters: dict[str, str] = {}
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def handle(self, user: str = "alice") -> str:
        return f"{user}@{self.address}" if self._tls else f"http://{self.address}/@{user}"

    def wired(self, user: str = "alice") -> Account:
        return Account(
            name=user, source=f"mastodon:{self.handle(user)}", jid=f"{user}@chat.example"
        )

    def add(self, user: str = "alice", number: str = "109", **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Add an account, which has the statuses of plain.json."""
        self.accounts[user] = {"id": number, "username": user, "acct": user} | more
        self.statuses[number] = [
            status | {"account": {"id": number, "acct": user}} for status in STATUSES
        ]
        return self.accounts[user]

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer)])

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        if not path.startswith("api/v1/accounts"):
            return self._feed(request)
        self.authorization.append(request.headers.get("authorization"))
        self.parameters = dict(request.query_params)
        self.asked.append(f"{path[16:]} {request.query_params.get('acct', '')}".strip())
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "This method requires an authenticated user"}, 401)
        found = self._find(path[16:].split("/"), request)
        if self.instead:
            return self.instead
        return JSONResponse({"error": "Record not found"}, 404) if found is None else found

    def _find(self, parts: list[str], request: Request) -> Response | None:
        by_id = {account["id"]: account for account in self.accounts.values()}
        match parts:
            case [""]:
                ids = request.query_params.getlist("id[]")
                self.asked[-1] = f"batch {len(ids)}"
                return self.batch or JSONResponse([by_id[one] for one in ids if one in by_id])
            case ["lookup"] if "lookup" not in self.without:
                found = self.accounts.get(request.query_params.get("acct", ""))
            case [number, "statuses"] if number in by_id:
                return JSONResponse(self._page(self.statuses[number], request))
            case [one] if "names" not in self.without:
                found = self.accounts.get(one) or by_id.get(one)
            case _:
                return None
        return JSONResponse(found) if found else None

    @staticmethod
    def _page(statuses: Any, request: Request) -> Any:  # noqa: ANN401
        asked = request.query_params
        if not isinstance(statuses, list) or "limit" not in asked:
            return statuses
        ids = [it.get("id") if isinstance(it, dict) else None for it in statuses]
        start = ids.index(asked["max_id"]) + 1 if "max_id" in asked else 0
        return statuses[start : start + int(asked["limit"])]

    def _feed(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        if path not in self.feeds:
            return Response("not here", 404)
        etag = f'"{hash(self.feeds[path])}"'
        if request.headers.get("if-none-match") == etag:
            self.asked[-1] += " unchanged"
            return Response(status_code=304, headers={"etag": etag})
        return Response(self.feeds[path], headers={"etag": etag})


Start = Callable[..., Awaitable[Instance]]


@pytest.fixture
async def start_instance(tls_for: Callable[..., ssl.SSLContext]) -> AsyncIterator[Start]:
    """Start instances; those with TLS (the default) have the addresses that people know."""
    async with AsyncExitStack() as stack:

        async def start(kind: type[Instance] = Instance, *, tls: bool = True) -> Instance:
            instance = kind(tls=tls)
            instance.add()
            context = tls_for("127.0.0.1") if tls else None
            instance.port = await stack.enter_async_context(serving(instance.app(), context))
            return instance

        yield start


@pytest.fixture
async def instance(start_instance: Start) -> Instance:
    return await start_instance(tls=False)


Ask = Callable[..., GuardedClient]


@pytest.fixture
def asking(client: Client) -> Ask:
    """Make clients for instances; loopback bears more than other hosts, and may be busy."""

    def make(*instances: Instance) -> GuardedClient:
        allowed = frozenset(instance.address for instance in instances)
        return client(allow_hosts=allowed, host_rate=10_000, host_concurrency=50, http_deadline=60)

    return make


@pytest.fixture
async def http(instance: Instance, asking: Ask) -> AsyncIterator[GuardedClient]:
    async with asking(instance) as http:
        yield http
