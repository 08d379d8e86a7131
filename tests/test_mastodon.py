"""Mastodon: what may be published and how it reads, and finding accounts that come and go."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from demo.serving import serving
from lastword.errors import Gone, Rejected, Transient
from lastword.post import Post
from lastword.sources.mastodon import Mastodon
from lastword.sources.mastodon_status import is_eligible, post_of
from models import Account
from tests.fixtures_http import Client

DATA = Path(__file__).parent / "data" / "mastodon"
CASES = sorted(path.stem for path in DATA.glob("*.json") if not path.stem.endswith(".post"))


class Host:
    """A server with one account."""

    def __init__(self) -> None:
        self.account: dict[str, Any] = {"id": "109", "username": "alice", "acct": "alice"}
        self.statuses: Any = json.loads((DATA / "plain.json").read_text("utf-8"))
        self.asked: list[str] = []
        self.instead: Response | None = None
        self.port = 0

    def look_up(self, request: Request) -> Response:
        self.asked.append(f"lookup {request.query_params}")
        if self.instead or request.query_params["acct"] != self.account["acct"]:
            return self.instead or JSONResponse({"error": "Record not found"}, 404)
        return JSONResponse(self.account)

    def list_statuses(self, request: Request) -> Response:
        number = request.path_params["number"]
        self.asked.append(f"statuses {number}")
        self.parameters = dict(request.query_params)
        if self.instead or number != self.account["id"]:
            return self.instead or JSONResponse({"error": "Record not found"}, 404)
        return JSONResponse(self.statuses)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wired(self, user: str = "alice") -> Account:
        source = f"mastodon:http://{self.address}/@{user}"
        return Account(name="alice", source=source, jid="alice@chat.example")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    routes = [
        Route("/api/v1/accounts/lookup", host.look_up),
        Route("/api/v1/accounts/{number}/statuses", host.list_statuses),
    ]
    async with serving(Starlette(routes=routes)) as host.port:
        yield host


@pytest.fixture
async def mastodon(host: Host, client: Client) -> AsyncIterator[Mastodon]:
    async with client(allow_hosts=frozenset({host.address})) as http:
        yield Mastodon(http)


@pytest.mark.parametrize("case", CASES)
async def test_saved_statuses(case: str, host: Host, mastodon: Mastodon) -> None:
    host.statuses = json.loads((DATA / f"{case}.json").read_text("utf-8"))
    expected = json.loads((DATA / f"{case}.post.json").read_text("utf-8"))
    post = await mastodon.latest(host.wired())
    assert (post.to_memory() if post else None) == expected


async def test_id_is_looked_up_once(host: Host, mastodon: Mastodon) -> None:
    account = host.wired()
    assert await mastodon.latest(account) == await mastodon.latest(account) is not None
    assert host.asked == ["lookup acct=alice", "statuses 109", "statuses 109"]
    assert "since_id" not in host.parameters
    assert host.parameters["exclude_replies"] == host.parameters["exclude_reblogs"] == "true"


async def test_id_of_another_handle_is_not_used(host: Host, mastodon: Mastodon) -> None:
    account = host.wired()
    await mastodon.latest(account)
    account.source = host.wired("bob").source
    host.account = {"id": "110", "acct": "bob"}
    assert await mastodon.latest(account) is not None
    assert host.asked[2:] == ["lookup acct=bob", "statuses 110"]


async def test_new_id_under_the_same_name(host: Host, mastodon: Mastodon) -> None:
    account = host.wired()
    await mastodon.latest(account)
    host.account["id"] = "777"
    assert await mastodon.latest(account) is not None
    assert host.asked[2:] == ["statuses 109", "lookup acct=alice", "statuses 777"]
    await mastodon.latest(account)
    assert host.asked[5:] == ["statuses 777"]


async def test_unknown_account(host: Host, mastodon: Mastodon) -> None:
    with pytest.raises(Gone, match="answers 404 Not Found: check the address"):
        await mastodon.latest(host.wired("nobody"))


async def test_deleted_account(host: Host, mastodon: Mastodon) -> None:
    account = host.wired()
    await mastodon.latest(account)
    host.account = {"id": "1", "acct": "somebody-else"}
    with pytest.raises(Gone):
        await mastodon.latest(account)
    assert host.asked[2:] == ["statuses 109", "lookup acct=alice"]


async def test_suspended_account_comes_back(host: Host, mastodon: Mastodon) -> None:
    """A suspended account's list is empty; only the account says why."""
    account = host.wired()
    post = await mastodon.latest(account)
    statuses, host.statuses = host.statuses, []
    host.account["suspended"] = True
    with pytest.raises(Gone, match=r"has suspended the account"):
        await mastodon.latest(account)
    del host.account["suspended"]
    host.statuses = statuses
    assert await mastodon.latest(account) == post


async def test_silent_account(host: Host, mastodon: Mastodon) -> None:
    host.statuses = []
    account = host.wired()
    assert await mastodon.latest(account) is None
    assert await mastodon.latest(account) is None


@pytest.mark.parametrize(
    "instead",
    [
        HTMLResponse("<h1>Welcome</h1>"),
        JSONResponse([]),
        JSONResponse({"id": "../../etc"}),
        JSONResponse({}),
        Response(b"[" * 900_000),
        Response(b"\xff\xfe\x00"),
    ],
)
async def test_not_mastodon(host: Host, mastodon: Mastodon, instead: Response) -> None:
    account = host.wired()
    host.instead = instead
    with pytest.raises(Rejected) as refused:
        await mastodon.latest(account)
    assert str(refused.value) == (
        f"{host.address} does not answer as a Mastodon server: check the server's name"
    )
    host.instead = None
    await mastodon.latest(account)
    host.instead = instead if instead.body != b"[]" else JSONResponse({})
    with pytest.raises(Transient, match="does not answer as a Mastodon server now"):
        await mastodon.latest(account)


async def test_statuses_are_no_list(host: Host, mastodon: Mastodon) -> None:
    host.statuses = {"error": "not today"}
    with pytest.raises(Transient):
        await mastodon.latest(host.wired())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = (
    *("id", "content", "spoiler_text", "visibility", "created_at", "url", "uri"),
    *("in_reply_to_id", "reblog", "media_attachments"),
)


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.just("public")) | JSON)
def test_any_status(status: Any) -> None:  # noqa: ANN401
    status = json.loads(json.dumps(status))
    if not is_eligible(status):
        return
    post = post_of(status, "https://social.example")
    if post:
        assert post.text
        assert Post.from_memory(json.loads(json.dumps(post.to_memory()))) == post
        assert (post.id + post.text + (post.url or "")).encode()


@pytest.mark.parametrize(
    "extra",
    [
        {"visibility": "private"},
        {"visibility": "direct"},
        {"visibility": "limited"},
        {"visibility": None},
        {"in_reply_to_id": "1"},
        {"in_reply_to_account_id": "1"},
        {"reblog": {"id": "1"}},
    ],
)
def test_never_published(extra: dict[str, object]) -> None:
    assert is_eligible({"id": "2", "visibility": "public", "content": "x"})
    assert not is_eligible({"id": "2", "visibility": "public", "content": "x"} | extra)


@pytest.mark.parametrize(
    ("handle", "normal"),
    [
        ("alice@social.example", "alice@social.example"),
        ("@alice@Social.Example", "alice@social.example"),
        (" a.b-c_d@social.example:8443 ", "a.b-c_d@social.example:8443"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("https://social.example/@alice", "alice@social.example"),
        ("https://social.example/@alice/", "alice@social.example"),
        ("http://127.0.0.1:3000/@alice", "http://127.0.0.1:3000/@alice"),
    ],
)
def test_check(handle: str, normal: str) -> None:
    assert Mastodon.check(handle) == normal
    assert Mastodon.check(normal) == normal


@pytest.mark.parametrize(
    "handle",
    [
        *("", "alice", "@alice", "alice@", "@social.example", "alice@social.example/path"),
        *("a/b@social.example", "alice@bob@social.example", "alice@social.example?x"),
        *("älice@social.example", "alice@social example", "alice@social.example:0"),
        *("https://social.example/alice", "https://x:y@social.example/@alice"),
        *("alice@social.example:99999", "alice@" + "a" * 300, "alice@[::1"),
    ],
)
def test_check_refuses(handle: str) -> None:
    with pytest.raises(ValueError, match=r"mastodon:alice@social\.example"):
        Mastodon.check(handle)
