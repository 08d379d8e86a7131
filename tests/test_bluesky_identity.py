"""Bluesky: finding accounts once, and those that move, change their handle, or go."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.sources.bluesky import Bluesky
from lastword.sources.bluesky_identity import BlueskySettings
from models import Account
from models.types import now
from tests.bluesky_server import ALICE, BOB, Client, Network, document, record, running
from tests.fixtures_http import RULES, newest

FIRST = ["resolve alice.example", f"document {ALICE}"]
TOMORROW = replace(RULES, now=now() + timedelta(days=1, hours=1))


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with running() as network:
        yield network


@pytest.fixture
async def bluesky(
    network: Network, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bluesky]:
    monkeypatch.setenv("LASTWORD_BLUESKY_RESOLVER", network.url)
    monkeypatch.setenv("LASTWORD_BLUESKY_PLC", network.url)
    async with Client(network, trusting) as http:
        yield Bluesky(http)


def wired(name: str = "alice.example") -> Account:
    return Account(name="alice", source=f"bluesky:{name}", jid="alice@chat.example")


async def trouble(bluesky: Bluesky, account: Account, kind: type[LastWordError]) -> str:
    """Expect an error of exactly this kind that names no user; return its message."""
    with pytest.raises(kind) as caught:
        await newest(bluesky, account)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert not any(name in message for name in ("alice", "bob", "did:"))
    return message


async def test_looked_up_once(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    post = await newest(bluesky, account)
    assert post
    assert post.url == f"https://bsky.app/profile/alice.example/post/{post.id}"
    assert await newest(bluesky, account) == post
    assert network.asked == FIRST
    assert len(network.pds.asked) == 2


async def test_did_needs_no_resolver(network: Network, bluesky: Bluesky) -> None:
    post = await newest(bluesky, wired(ALICE))
    assert post
    assert post.url == f"https://bsky.app/profile/{ALICE}/post/{post.id}"
    assert network.asked == [f"document {ALICE}"]


async def test_did_web(network: Network, bluesky: Bluesky) -> None:
    did = f"did:web:localhost%3A{network.port}"
    network.documents[did] = document(did, "alice.example", network.pds.url)
    network.pds.repos[did] = [record("3lqkvhr2v2s2a", "From the web", did)]
    post = await newest(bluesky, wired(did))
    assert post
    assert post.text == "From the web"
    assert network.asked == [f"document {did}"]


async def test_did_web_of_this_machine(bluesky: Bluesky) -> None:
    """For those who try things out, and only where the operator allows it."""
    assert "localhost is plain http" in await trouble(bluesky, wired("did:web:localhost"), Rejected)


async def test_did_web_that_is_a_private_address(network: Network, bluesky: Bluesky) -> None:
    network.handles["alice.example"] = "did:web:127.0.0.1"
    assert "no such Bluesky handle" in await trouble(bluesky, wired(), Rejected)


@pytest.mark.parametrize(
    "resolver", [None, PlainTextResponse("down", 502), JSONResponse({"did": "did:key:z6"})]
)
async def test_handle_that_only_its_host_knows(
    network: Network, bluesky: Bluesky, resolver: Response | None
) -> None:
    network.handles.clear()
    network.resolver = resolver
    network.well_known["alice.example"] = f" {ALICE}\n"
    assert await newest(bluesky, wired())
    assert network.asked == [FIRST[0], "well-known alice.example", FIRST[1]]


@pytest.mark.parametrize("claim", [None, "<h1>Welcome</h1>", "did:key:z6", "\xff" * 99])
async def test_unknown_handle(network: Network, bluesky: Bluesky, claim: str | None) -> None:
    network.handles.clear()
    if claim:
        network.well_known["alice.example"] = claim
    account = wired()
    message = await trouble(bluesky, account, Rejected)
    assert message == "there is no such Bluesky handle: check the address"
    assert account.source_memory == {}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PlainTextResponse("down", 502), Transient),
        (PlainTextResponse("busy", 429), Deferred),
        (PlainTextResponse("not for you", 403), Deferred),
        (PlainTextResponse("not here", 404), Deferred),
        (JSONResponse({"did": None}), Transient),
        (PlainTextResponse("<h1>Welcome</h1>"), Transient),
    ],
)
async def test_resolver_in_trouble(
    network: Network, bluesky: Bluesky, answer: Response, kind: type[LastWordError]
) -> None:
    """What is wrong with our resolver is not held against the account."""
    network.resolver = answer
    assert str(network.port) in await trouble(bluesky, wired(), kind)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PlainTextResponse("down", 502), Transient),
        (PlainTextResponse("busy", 429), Deferred),
        (PlainTextResponse("not for you", 403), Deferred),
        (PlainTextResponse("<h1>Welcome</h1>"), Transient),
        (JSONResponse({}), Transient),
        (JSONResponse({"id": BOB}), Transient),
    ],
)
async def test_directory_in_trouble(
    network: Network, bluesky: Bluesky, answer: Response, kind: type[LastWordError]
) -> None:
    network.directory = answer
    assert str(network.port) in await trouble(bluesky, wired(), kind)


@pytest.mark.parametrize(
    "claimed", [[], ["at://bob.example"], ["at://bob.example", "at://alice.example"], None, [7]]
)
async def test_handle_that_is_not_claimed(
    network: Network, bluesky: Bluesky, claimed: object
) -> None:
    """Anybody's domain can point at Alice's DID; only the first handle of hers is her own."""
    network.documents[ALICE]["alsoKnownAs"] = claimed
    assert "does not call itself so" in await trouble(bluesky, wired(), Rejected)


async def test_unknown_did(bluesky: Bluesky) -> None:
    assert "knows no such DID" in await trouble(bluesky, wired(BOB), Rejected)


async def test_did_that_was_given_up(network: Network, bluesky: Bluesky) -> None:
    network.documents[ALICE] = None
    message = await trouble(bluesky, wired(), Gone)
    assert message.endswith("says that the account's DID was given up: remove the account")


@pytest.mark.parametrize(
    "endpoint",
    [
        *(
            "https://10.0.0.1",
            "https://169.254.169.254",
            "https://[::1]:443",
            "https://127.0.0.1:1",
        ),
        *("https://localhost", "https://2130706433", "http://192.0.2.1", "http://93.184.215.14"),
    ],
)
async def test_hostile_data_server(network: Network, bluesky: Bluesky, endpoint: str) -> None:
    network.documents[ALICE] = document(ALICE, "alice.example", endpoint)
    message = await trouble(bluesky, wired(), Rejected)
    assert "leads to a private address" in message or "is plain http" in message
    assert network.pds.asked == network.other.asked == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *(None, 7, [], {}, "", "pds", "//pds.example", "ftp://pds.example", "file:///etc/passwd"),
        *("https://pds.example/path", "https://pds.example?x", "https://pds.example#x"),
        *(
            "https://a:b@pds.example",
            "https://pds.example:0",
            "https://" + "x" * 400,
            "https://é\n",
        ),
    ],
)
async def test_improper_data_server(network: Network, bluesky: Bluesky, endpoint: object) -> None:
    network.documents[ALICE] = document(ALICE, "alice.example", endpoint)
    assert "names no proper data server" in await trouble(bluesky, wired(), Rejected)


@pytest.mark.parametrize("services", [[], None, {}, [7], [{"id": "#atproto_pds", "type": "Pds"}]])
async def test_no_data_server(network: Network, bluesky: Bluesky, services: object) -> None:
    network.documents[ALICE]["service"] = services
    assert "names no proper data server" in await trouble(bluesky, wired(), Rejected)


@pytest.mark.parametrize("old", [None, PlainTextResponse("?", 404), PlainTextResponse("?", 503)])
async def test_moved_account_is_followed(
    network: Network, bluesky: Bluesky, old: Response | None
) -> None:
    account = wired()
    post = await newest(bluesky, account)
    network.move()
    network.pds.instead = old
    assert await newest(bluesky, account) == post
    assert network.asked == [*FIRST, f"document {ALICE}"]
    network.pds.asked.clear()
    assert await newest(bluesky, account) == post
    assert network.pds.asked == []
    assert network.other.asked == ["list 10", "list 10: 304"]
    assert len(network.asked) == 3


async def test_move_that_the_old_server_does_not_tell(network: Network, bluesky: Bluesky) -> None:
    """It goes on answering; the document is read again once a day."""
    account = wired()
    await newest(bluesky, account)
    network.move()
    network.pds.states.clear()
    network.other.repos[ALICE] = [record("3lqkvhr2v2s3a", "Where I am now")]
    await newest(bluesky, account)
    assert network.other.asked == []
    post = await newest(bluesky, account, TOMORROW)
    assert post
    assert post.text == "Where I am now"


async def test_moved_to_a_server_in_trouble(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    network.move()
    network.other.instead = PlainTextResponse("down", 502)
    message = await trouble(bluesky, account, Transient)
    assert message.startswith(f"localhost:{network.port} answers 502")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("RepoDeactivated", "the account is deactivated at"),
        ("RepoTakendown", "has taken the account down: ask its moderators"),
        ("RepoSuspended", "has suspended the account: ask its moderators"),
        ("RepoNotFound", "has no such account any more"),
        ("SomethingNew", "has no such account any more"),
    ],
)
async def test_gone_and_back_again(
    network: Network, bluesky: Bluesky, state: str, said: str
) -> None:
    account = wired()
    post = await newest(bluesky, account)
    network.pds.states[ALICE] = state
    assert said in await trouble(bluesky, account, Gone)
    assert network.pds.asked[1:] == ["list 10", "commit"]
    assert network.asked == [*FIRST, f"document {ALICE}"]
    network.pds.states.clear()
    assert await newest(bluesky, account) == post


async def test_deleted_account(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    network.pds.repos.clear()
    assert "it was deleted" in await trouble(bluesky, account, Gone)


async def test_document_of_a_new_account_is_read_once(network: Network, bluesky: Bluesky) -> None:
    network.pds.states[ALICE] = "RepoDeactivated"
    assert "deactivated" in await trouble(bluesky, wired(), Gone)
    assert network.asked == FIRST


async def test_state_in_the_list_itself(network: Network, bluesky: Bluesky) -> None:
    network.pds.instead = JSONResponse({"error": "RepoTakendown", "message": "?"}, 400)
    assert "has taken the account down" in await trouble(bluesky, wired(), Gone)
    assert network.pds.asked == ["list 10"]


async def test_refused_though_it_is_there(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    network.pds.repos[ALICE] *= 10  # nothing but replies, and the page after is refused
    for one in network.pds.repos[ALICE]:
        one["value"]["reply"] = {}
    network.pds.page = {"records": network.pds.repos[ALICE], "cursor": "x"}
    refusal = JSONResponse({"error": "InvalidRequest", "message": "not that cursor"}, 400)
    network.pds.after = refusal
    message = await trouble(bluesky, account, Transient)
    assert message.endswith("has the account, but does not list its posts now")
    assert network.pds.asked == ["list 10", "list 100 after x", "commit"]


async def test_data_server_in_trouble(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    network.pds.instead = PlainTextResponse("down", 503)
    assert "answers 503" in await trouble(bluesky, account, Transient)
    network.directory = PlainTextResponse("down", 503)
    message = await trouble(bluesky, account, Transient)
    assert message.startswith(f"127.0.0.1:{network.port} answers 503")


async def test_rate_limit(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    reset = str(int((now() + timedelta(minutes=4)).timestamp()))
    limits = {"RateLimit-Limit": "3000", "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
    body = {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
    network.pds.instead = JSONResponse(body, 429, limits)
    await trouble(bluesky, account, Deferred)
    assert network.asked == FIRST


async def test_changed_handle(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    choice = await bluesky.latest(account, RULES)
    assert (choice.post and choice.post.url, choice.notice) == (
        "https://bsky.app/profile/alice.example/post/3lqkvhr2v2s2a",
        "",
    )
    network.documents[ALICE]["alsoKnownAs"] = ["at://alice.new.example"]
    network.handles = {"alice.example": BOB}
    assert await newest(bluesky, account) == choice.post
    for _ in range(2):
        choice = await bluesky.latest(account, TOMORROW)
        assert (choice.post and choice.post.url, choice.notice) == (
            f"https://bsky.app/profile/{ALICE}/post/3lqkvhr2v2s2a",
            "the account has another handle now: it is followed by its DID",
        )
    assert network.asked[:3] == [*FIRST, f"document {ALICE}"]


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("down", 502), PlainTextResponse("busy", 429), JSONResponse([])]
)
async def test_directory_in_trouble_later(
    network: Network, bluesky: Bluesky, answer: Response
) -> None:
    account = wired()
    post = await newest(bluesky, account)
    network.directory = answer
    assert await newest(bluesky, account, TOMORROW) == post
    assert network.pds.asked == ["list 10", "list 10: 304"]


async def test_did_that_was_given_up_later(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    network.documents[ALICE] = None
    with pytest.raises(Gone, match="was given up"):
        await newest(bluesky, account, TOMORROW)


async def test_source_address_of_another_time(bluesky: Bluesky) -> None:
    with pytest.raises(Rejected, match=r"bluesky:alice\.example"):
        await newest(bluesky, wired("alice"))


@pytest.mark.parametrize("setting", ["resolver", "plc"])
def test_settings(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    name = f"LASTWORD_BLUESKY_{setting.upper()}"
    monkeypatch.setenv(name, "https://lookup.example:8443/")
    found: Any = getattr(BlueskySettings(), setting)
    assert found == "https://lookup.example:8443"
    for wrong in ("lookup.example", "https://lookup.example/path", "https://a:b@lookup.example"):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(ValidationError):
            BlueskySettings()
