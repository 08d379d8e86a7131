"""Saved exchanges: what a server answers to each request, and the post or error it must become."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.serving import serving
from lastword import errors
from lastword.sources import SOURCES
from models import Account
from tests.fixtures_http import RULES, Client

DATA = Path(__file__).parent / "data"
CASES = sorted(DATA.glob("*/exchanges/*.json"))


def bytes_of(body: object) -> bytes:
    """Return a saved body as a server sends it."""
    return (body if isinstance(body, str) else json.dumps(body)).encode()


class Replay:
    """A server that gives the saved answers, by path or else by path and query."""

    def __init__(self) -> None:
        self.answers: Mapping[str, Any] = {}
        self.host = ""

    async def answer(self, request: Request) -> Response:
        path, query = request.url.path, request.url.query
        missing = {"status": 404, "body": ""}
        saved = self.answers.get(f"{path}?{query}", self.answers.get(path, missing))
        return Response(bytes_of(saved["body"]), saved.get("status", 200), saved.get("headers"))


@asynccontextmanager
async def replaying(path: Path) -> AsyncIterator[tuple[Replay, dict[str, Any]]]:
    replay = Replay()
    app = Starlette(routes=[Route("/{path:path}", replay.answer)])
    async with serving(app) as port:
        replay.host = f"127.0.0.1:{port}"
        case = json.loads(path.read_text("utf-8").replace("HOST", replay.host))
        replay.answers = case["answers"]
        yield replay, case


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]} {path.stem}")
async def test_saved_exchange(path: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with replaying(path) as (replay, case):
        for name in ("X_API", "BLUESKY_RESOLVER", "BLUESKY_PLC"):
            monkeypatch.setenv(f"LASTWORD_{name}", f"http://{replay.host}")
        monkeypatch.setenv("LASTWORD_X_TOKEN", "token")
        account = Account(name="alice", source=case["source"], jid="alice@chat.example")
        account.source_memory = case.get("memory", {})
        async with client(allow_hosts=[replay.host, "127.0.0.1:9"]) as http:
            source = SOURCES[case["source"].partition(":")[0]](http)
            source.expect([account])
            if "error" in case:
                kind, words = case["error"]
                with pytest.raises(errors.LastWordError) as caught:
                    await source.latest(account, RULES)
                assert type(caught.value) is getattr(errors, kind)
                assert words in str(caught.value)
                return
            choice = await source.latest(account, RULES)
    assert (choice.post.to_memory() if choice.post else None) == case["post"]
    assert case.get("notice", "") in choice.notice


@pytest.mark.parametrize("source", SOURCES)
def test_enough_is_saved(source: str) -> None:
    pages = [it for it in (DATA / source).iterdir() if ".post." in it.name]
    assert len(pages) >= 12
    assert len([it for it in CASES if it.parts[-3] == source]) >= 8
