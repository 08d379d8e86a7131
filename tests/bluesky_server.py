"""A small network of Bluesky's protocol on loopback: resolver, PLC directory, data servers.

They answer as @atproto/pds 0.5 and @did-plc/server do: that "Could not find repo" says nothing of
the reason, that a cursor comes with every page, ETags and limits.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Host, Route, Router

from demo.serving import serving
from lastword.settings import Settings
from lastword.sources.http import GuardedClient, Reply

ALICE = "did:plc:aliceaaaaaaaaaaaaaaaaaaa"
BOB = "did:plc:bobaaaaaaaaaaaaaaaaaaaaa"
POST = "app.bsky.feed.post"


def record(key: str, text: str = "Hello", did: str = ALICE, **more: object) -> dict[str, Any]:
    value = {"$type": POST, "text": text, "createdAt": "2025-06-01T10:00:00Z"} | more
    return {"uri": f"at://{did}/{POST}/{key}", "cid": "bafy", "value": value}


def document(did: str, handle: str, endpoint: object) -> dict[str, Any]:
    """Return a DID document as plc.directory has them."""
    service = {
        "id": "#atproto_pds",
        "type": "AtprotoPersonalDataServer",
        "serviceEndpoint": endpoint,
    }
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": [f"at://{handle}"],
        "verificationMethod": [],
        "service": [service],
    }


class Pds:
    """A data server.

    Attributes:
        repos: records by DID, from the newest on.
        states: the error that `getLatestCommit` gives, by DID, such as RepoDeactivated.
        page: what `listRecords` answers instead.
        after: what `listRecords` answers where it is given a cursor.
        instead: what every query answers instead.
        sends_etags: whether it does.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self.repos: dict[str, list[Any]] = {}
        self.states: dict[str, str] = {}
        self.page: Any = None
        self.after: Response | None = None
        self.instead: Response | None = None
        self.sends_etags = True
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    def routes(self) -> list[Route]:
        return [
            Route("/xrpc/com.atproto.repo.listRecords", self.list_records),
            Route("/xrpc/com.atproto.sync.getLatestCommit", self.get_latest_commit),
        ]

    def list_records(self, request: Request) -> Response:
        query = request.query_params
        did, limit, cursor = query["repo"], int(query["limit"]), query.get("cursor")
        self.asked.append(f"list {limit}{f' after {cursor}' if cursor else ''}")
        if self.instead:
            return self.instead
        if did not in self.repos or did in self.states:
            return _refusal("InvalidRequest", f"Could not find repo: {did}")
        if self.after and cursor:
            return self.after
        if self.page is not None:
            return self._answer(request, self.page)
        found = self.repos[did]
        if cursor:
            found = [it for it in found if it["uri"].rpartition("/")[2] < cursor]
        page = {"records": found[:limit]}
        if found:
            page["cursor"] = found[:limit][-1]["uri"].rpartition("/")[2]
        return self._answer(request, page)

    def _answer(self, request: Request, page: object) -> Response:
        answer = Response(json.dumps(page).encode(), media_type="application/json")
        etag = f'W/"{sha256(bytes(answer.body)).hexdigest()[:20]}"'
        if not self.sends_etags:
            return answer
        if request.headers.get("if-none-match") == etag:
            self.asked[-1] += ": 304"
            return Response(status_code=304, headers={"ETag": etag})
        answer.headers["ETag"] = etag
        return answer

    def get_latest_commit(self, request: Request) -> Response:
        self.asked.append("commit")
        did = request.query_params["did"]
        if self.instead:
            return self.instead
        if error := self.states.get(did):
            return _refusal(error, f"{error}: {did}")
        if did not in self.repos:
            return _refusal("RepoNotFound", f"Could not find repo for DID: {did}")
        return JSONResponse({"cid": "bafy", "rev": "3kaaaaaaaaa2a"})


class Network:
    """Who is who, with two data servers; Alice is on the first.

    Attributes:
        handles: what the resolver knows.
        documents: DID documents; None: the DID was given up.
        well_known: what hosts answer at /.well-known/atproto-did.
        resolver: what the resolver answers instead.
        directory: what the directory answers instead.
    """

    def __init__(self) -> None:
        self.pds, self.other = Pds("127.0.0.1"), Pds("localhost")
        self.handles = {"alice.example": ALICE}
        self.documents: dict[str, Any] = {}
        self.well_known: dict[str, str] = {}
        self.resolver: Response | None = None
        self.directory: Response | None = None
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        """All is on one port, but the second data server has a host of its own."""
        web = Route("/.well-known/did.json", self.web_document)
        routes = [
            Host("localhost", Router([web, *self.other.routes()])),
            *self.pds.routes(),
            Route("/xrpc/com.atproto.identity.resolveHandle", self.resolve_handle),
            Route("/host/{host}/.well-known/atproto-did", self.did_of_host),
            Route("/{did}", self.plc_document),
        ]
        return Starlette(routes=routes)

    def resolve_handle(self, request: Request) -> Response:
        handle = request.query_params["handle"]
        self.asked.append(f"resolve {handle}")
        if self.resolver:
            return self.resolver
        if handle not in self.handles:
            return _refusal("InvalidRequest", "Unable to resolve handle")
        return JSONResponse({"did": self.handles[handle]})

    def plc_document(self, request: Request) -> Response:
        return self._document(request.path_params["did"])

    def web_document(self, request: Request) -> Response:
        return self._document(f"did:web:{request.headers['host'].replace(':', '%3A')}")

    def _document(self, did: str) -> Response:
        self.asked.append(f"document {did}")
        if self.directory:
            return self.directory
        if did not in self.documents:
            return JSONResponse({"message": f"DID not registered: {did}"}, 404)
        if self.documents[did] is None:
            return JSONResponse({"message": f"DID not available: {did}"}, 410)
        return JSONResponse(self.documents[did])

    def did_of_host(self, request: Request) -> Response:
        host = request.path_params["host"]
        self.asked.append(f"well-known {host}")
        if host not in self.well_known:
            return PlainTextResponse("not here", 404)
        return PlainTextResponse(self.well_known[host])

    def move(self) -> None:
        """Move Alice to the other data server."""
        self.other.repos[ALICE] = self.pds.repos[ALICE]
        self.pds.states[ALICE] = "RepoDeactivated"
        self.documents[ALICE] = document(ALICE, "alice.example", self.other.url)


def _refusal(error: str, message: str) -> Response:
    return JSONResponse({"error": error, "message": message}, 400)


class Client(GuardedClient):
    """Finds the hosts of handles at the network, for port 443 is not ours to have."""

    def __init__(self, network: Network, trusted: ssl.SSLContext, **more: object) -> None:
        hosts = [f"{host}:{network.port}" for host in ("127.0.0.1", "localhost")]
        settings = Settings.model_validate({"allow_hosts": hosts, "http_deadline": 10} | more)
        super().__init__(settings, trusted)
        self._network = network

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Reply:
        parts = urlsplit(url)
        if (parts.hostname or "").endswith(".example"):
            url = f"{self._network.url}/host/{parts.hostname}{parts.path}"
        return await super().get(url, headers, **more)


@asynccontextmanager
async def running() -> AsyncIterator[Network]:
    """Serve a network in which Alice has one post."""
    network = Network()
    async with serving(network.app()) as network.port:
        network.pds.port = network.other.port = network.port
        network.documents[ALICE] = document(ALICE, "alice.example", network.pds.url)
        network.pds.repos[ALICE] = [record("3lqkvhr2v2s2a")]
        yield network
