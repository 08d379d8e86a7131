"""The source that docs/sources.md shows works as it stands there, with one line in the registry."""

import re
import ssl
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.serving import serving
from lastword.address import SourceAddress
from lastword.errors import Gone, Transient
from lastword.sources import SOURCES, build_sources
from lastword.sources.base import Source
from models import Account
from tests.fixtures_http import Client, newest

PAGE = Path(__file__).parent.parent / "docs" / "sources.md"


@pytest.fixture
def lemmy(monkeypatch: pytest.MonkeyPatch) -> type[Source]:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    spec = spec_from_loader("lastword.sources.lemmy", loader=None)
    assert spec
    module = module_from_spec(spec)
    exec(compile(found[1], str(PAGE), "exec"), module.__dict__)  # noqa: S102 (our own page)
    source: type[Source] = module.Lemmy
    monkeypatch.setitem(SOURCES, "lemmy", source)
    return source


class Server:
    """A Lemmy server with one user, alice."""

    def __init__(self) -> None:
        self.posts: Any = []

    def user(self, request: Request) -> Response:
        if request.query_params["username"] != "alice":
            return JSONResponse({"error": "couldnt_find_person"}, 404)
        return JSONResponse({"posts": self.posts})


def post(number: int, **more: object) -> dict[str, Any]:
    published = f"2026-01-{number:02}T10:00:00.123456Z"
    return {"post": {"id": number, "name": f"Post {number}", "published": published} | more}


async def test_the_example_is_a_whole_source(
    lemmy: type[Source], client: Client, tls_for: Callable[..., ssl.SSLContext]
) -> None:
    server = Server()
    app = Starlette(routes=[Route("/api/v3/user", server.user)])
    async with serving(app, tls_for("localhost")) as port:
        address = SourceAddress.parse(f"lemmy:@alice@LOCALHOST:{port}")
        assert str(address) == f"lemmy:alice@localhost:{port}"
        assert address.host == f"localhost:{port}"
        alice = Account(name="alice", source=str(address), jid="alice@chat.example")
        async with client(allow_hosts=frozenset({f"localhost:{port}"})) as http:
            source = build_sources(http)["lemmy"]
            assert isinstance(source, lemmy)
            assert await newest(source, alice) is None

            server.posts = [post(2), post(4, removed=True), post(3, nsfw=True, ap_id="/post/3")]
            found = await newest(source, alice)
            assert found
            assert (found.id, found.text) == ("3", "Not safe for work")
            assert found.url == f"https://localhost:{port}/post/3"

            server.posts = [1, {"post": 2}]
            assert await newest(source, alice) is None
            server.posts = "not today"
            with pytest.raises(Transient):
                await newest(source, alice)
            alice.source = f"lemmy:bob@localhost:{port}"
            with pytest.raises(Gone):
                await newest(source, alice)


def test_the_example_refuses_what_is_no_address(lemmy: type[Source]) -> None:
    with pytest.raises(ValueError, match=r"like lemmy:alice@lemmy\.example"):
        lemmy.check("alice")
