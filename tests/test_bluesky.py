"""Bluesky: what may be published and how it reads, and asking for no more than is new."""

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from lastword.errors import LastWordError, Transient
from lastword.judged import latest
from lastword.post import Post
from lastword.sources.bluesky import Bluesky
from lastword.sources.bluesky_identity import Identity
from lastword.sources.bluesky_post import posts_of
from models import Account
from models.types import now
from tests.bluesky_server import ALICE, Client, Network, document, record, running
from tests.fixtures_http import RULES, newest

DATA = Path(__file__).parent / "data" / "bluesky"
CASES = sorted(path.stem for path in DATA.glob("*.json") if not path.stem.endswith(".post"))
REPLY = {"root": {"uri": "at://x", "cid": "x"}, "parent": {"uri": "at://x", "cid": "x"}}


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with running() as network:
        yield network


@pytest.fixture
def lookups(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_BLUESKY_RESOLVER", network.url)
    monkeypatch.setenv("LASTWORD_BLUESKY_PLC", network.url)


@pytest.fixture
async def bluesky(
    network: Network, lookups: None, trusting: ssl.SSLContext
) -> AsyncIterator[Bluesky]:
    del lookups
    async with Client(network, trusting) as http:
        yield Bluesky(http)


def wired(name: str = "alice.example") -> Account:
    return Account(name="alice", source=f"bluesky:{name}", jid="alice@chat.example")


def key(number: int) -> str:
    return f"3lqkvhr2v2s{'234567abcdefghijklmnop'[number]}a"


@pytest.mark.parametrize("case", CASES)
async def test_saved_records(case: str, network: Network, bluesky: Bluesky) -> None:
    network.pds.page = json.loads((DATA / f"{case}.json").read_text("utf-8"))
    expected = json.loads((DATA / f"{case}.post.json").read_text("utf-8"))
    post = await newest(bluesky, wired())
    assert (post.to_memory() if post else None) == expected


async def test_what_has_not_changed_is_not_sent_again(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    post = await newest(bluesky, account)
    account.source_memory = json.loads(json.dumps(account.source_memory))
    assert await newest(bluesky, account) == post is not None
    assert network.pds.asked == ["list 10", "list 10: 304"]
    network.pds.repos[ALICE].insert(0, record(key(5), "New"))
    new = await newest(bluesky, account)
    assert new
    assert new.text == "New"
    network.pds.repos[ALICE].clear()
    assert await newest(bluesky, account) is None
    assert await newest(bluesky, account) is None
    assert network.pds.asked[2:] == ["list 10", "list 10", "list 10: 304"]


async def test_what_other_settings_let_pass_gives_way_to_the_next(
    network: Network, bluesky: Bluesky
) -> None:
    network.pds.repos[ALICE] = [record(key(2), "New #private"), record(key(1), "Old")]
    account, texts = wired(), list[str]()
    for rules in (RULES, replace(RULES, opt_out="private"), RULES):
        choice = await latest(bluesky, account, rules)
        texts.append(choice.post.text if choice.post else "")
    assert texts == ["New #private", "Old", "New #private"]
    assert network.pds.asked == ["list 10"] * 3


async def test_the_same_answer_is_not_read_again(network: Network, bluesky: Bluesky) -> None:
    """A server without ETags sends it every time."""
    network.pds.sends_etags = False
    account = wired()
    await newest(bluesky, account)
    memory = json.loads(json.dumps(account.source_memory))
    memory["choice"]["post"]["text"] = "Kept"
    account.source_memory = memory
    post = await newest(bluesky, account)
    assert post
    assert post.text == "Kept"
    network.pds.repos[ALICE].insert(0, record(key(5), "New"))
    post = await newest(bluesky, account)
    assert post
    assert post.text == "New"


async def test_what_was_kept_expires(bluesky: Bluesky) -> None:
    account = wired()
    rules = replace(RULES, now=datetime(2025, 6, 2, tzinfo=UTC), expires_after=timedelta(days=2))
    assert await newest(bluesky, account, rules)
    later = replace(rules, now=rules.now + timedelta(days=2))
    choice = await bluesky.latest(account, later)
    assert (choice.post, choice.why) == (None, "no eligible post: the newest has expired")


async def test_somebody_who_answers_a_lot(network: Network, bluesky: Bluesky) -> None:
    """The one post is on the second page, of which no ETag of the first says anything."""
    replies = [record(key(number), reply=REPLY) for number in range(21, 9, -1)]
    network.pds.repos[ALICE] = [*replies, record(key(1), "Mine"), record(key(0), "Older")]
    account = wired()
    choice = await bluesky.latest(account, RULES)
    assert choice.post
    assert (choice.post.text, choice.why) == ("Mine", "no eligible post: the newest is a reply")
    del network.pds.repos[ALICE][12]
    post = await newest(bluesky, account)
    assert post
    assert post.text == "Older"
    assert network.pds.asked == ["list 10", f"list 100 after {key(12)}"] * 2


async def test_only_replies(network: Network, bluesky: Bluesky) -> None:
    network.pds.repos[ALICE] = [record(key(number), reply=REPLY) for number in range(20, 0, -1)]
    choice = await bluesky.latest(wired(), RULES)
    assert (choice.post, choice.why) == (None, "no eligible post: the newest is a reply")
    assert len(network.pds.asked) == 2


async def test_old_posts_are_not_paged_through(network: Network, bluesky: Bluesky) -> None:
    network.pds.repos[ALICE] = [record(key(number)) for number in range(20, 0, -1)]
    account = wired()
    rules = replace(RULES, max_age=timedelta(days=1))
    choice = await bluesky.latest(account, rules)
    assert (choice.post, choice.why) == (None, "no eligible post: the newest is older than 1d")
    await bluesky.latest(account, rules)
    assert network.pds.asked == ["list 10", "list 10: 304"]


async def test_old_post_that_stands_is_looked_for(network: Network, bluesky: Bluesky) -> None:
    network.pds.repos[ALICE] = [record(key(number)) for number in range(20, 0, -1)]
    rules = replace(RULES, max_age=timedelta(days=1), standing=key(3))
    post = await newest(bluesky, wired(), rules)
    assert post
    assert post.id == key(3)


@pytest.mark.parametrize("limit", [0, 9])
async def test_last_page_is_the_last(network: Network, bluesky: Bluesky, limit: int) -> None:
    """Servers give a cursor with it all the same."""
    network.pds.repos[ALICE] = [record(key(number), reply=REPLY) for number in range(limit, 0, -1)]
    assert await newest(bluesky, wired()) is None
    assert network.pds.asked == ["list 10"]


async def test_cursor_is_not_trusted(network: Network, bluesky: Bluesky) -> None:
    records = [record(key(number), reply=REPLY) for number in range(10, 0, -1)]
    for cursor in ("\ud800", "a b", "", 7, None, "x" * 600):
        network.pds.page = {"records": records, "cursor": cursor}
        network.pds.instead = Response(json.dumps(network.pds.page).encode())
        network.pds.asked.clear()
        assert await newest(bluesky, wired()) is None
        assert network.pds.asked == ["list 10"]


async def test_memory_of_another_account_is_not_used(network: Network, bluesky: Bluesky) -> None:
    account = wired()
    await newest(bluesky, account)
    account.source = f"bluesky:{ALICE}"
    network.asked.clear()
    post = await newest(bluesky, account)
    assert post
    assert post.url == f"https://bsky.app/profile/{ALICE}/post/{post.id}"
    assert network.asked == [f"document {ALICE}"]


@pytest.mark.parametrize(
    "memory",
    [
        {"handle": "alice.example", "id": "109"},
        {"source": "alice.example"},
        {"source": "alice.example", "identity": {"did": 7}},
        {"source": "alice.example", "identity": None, "choice": []},
    ],
)
async def test_memory_that_cannot_be_read(
    network: Network, bluesky: Bluesky, memory: dict[str, Any]
) -> None:
    account = wired()
    account.source_memory = memory
    assert await newest(bluesky, account)
    assert network.asked == ["resolve alice.example", f"document {ALICE}"]


@pytest.mark.parametrize(
    "change",
    [
        {"choice": {"post": {"id": 7, "text": "x"}}},
        {"choice": {"post": {"id": "x", "text": "x", "time": "2025-06-01T10:00:00"}}},
        {"identity": {"did": ALICE, "pds": "x", "name": "x", "seen": "2025-06-01T10:00:00"}},
        {"etag": None},
    ],
)
async def test_memory_that_is_damaged(
    network: Network, bluesky: Bluesky, change: dict[str, Any]
) -> None:
    account = wired()
    await newest(bluesky, account)
    account.source_memory = account.source_memory | change
    network.asked.clear()
    assert await newest(bluesky, account)
    assert network.asked == ["resolve alice.example", f"document {ALICE}"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<h1>Welcome</h1>",
        b"[]",
        b"{}",
        b'{"records": {}}',
        b"\xff\xfe\x00",
        b"[" * 900_000,
        b'{"records": [' + b"[" * 900_000,
        b'{"records": [' + b"9" * 900_000 + b"]}",
    ],
)
async def test_not_a_data_server(network: Network, bluesky: Bluesky, answer: bytes) -> None:
    network.pds.instead = Response(answer)
    with pytest.raises(Transient) as caught:
        await newest(bluesky, wired())
    assert str(caught.value) == (
        f"127.0.0.1:{network.pds.port} does not answer as a data server of Bluesky now"
    )


async def test_a_large_answer_is_read_apart(network: Network, bluesky: Bluesky) -> None:
    network.pds.repos[ALICE] = [record(key(1), "x" * 200_000)]
    post = await newest(bluesky, wired())
    assert post
    assert len(post.text) == 10_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
FACETS = st.lists(
    st.fixed_dictionaries(
        {
            "index": st.fixed_dictionaries(
                {"byteStart": st.integers(-2, 30), "byteEnd": st.integers(-2, 30)}
            ),
            "features": st.lists(
                st.fixed_dictionaries(
                    {
                        "$type": st.just("app.bsky.richtext.facet#link"),
                        "uri": st.just("https://a.example/xyz") | st.text(),
                    }
                )
            ),
        }
    )
)
VALUE = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text() | st.just("🦋 a.example/x… 🦋") | JSON,
        "facets": FACETS | JSON,
        "createdAt": st.datetimes().map(str) | st.text() | JSON,
        "embed": JSON | st.dictionaries(st.sampled_from(["images", "media", "alt"]), JSON),
        "labels": st.fixed_dictionaries({"values": st.lists(JSON)}) | JSON,
        **dict.fromkeys(("tags", "reply", "$type"), JSON),
    },
)
KEYS = st.from_regex(r"[2-7a-j][2-7a-z]{12}", fullmatch=True) | st.text()
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"uri": KEYS.map(lambda it: f"at://{ALICE}/app.bsky.feed.post/{it}"), "value": VALUE | JSON}
    )
    | JSON,
    max_size=4,
)


@given(RECORDS)
def test_any_records(records: list[Any]) -> None:
    identity = Identity(ALICE, "https://pds.example", "alice.example", now())
    for post in posts_of(json.loads(json.dumps(records)), identity):
        assert post.text
        assert (post.id + post.text + (post.url or "")).encode()
        if RULES.fault(post) is None:
            assert Post.from_memory(json.loads(json.dumps(post.to_memory()))) == post


PAGE = st.fixed_dictionaries({"records": RECORDS}, optional={"cursor": st.text() | JSON})
DOCUMENT = st.fixed_dictionaries(
    {
        "id": st.just(ALICE),
        "alsoKnownAs": st.just(["at://alice.example"]) | JSON,
        "service": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.just("#atproto_pds"),
                    "type": st.just("AtprotoPersonalDataServer"),
                    "serviceEndpoint": st.just("http://127.0.0.1:1") | JSON,
                }
            )
            | JSON
        ),
    }
)
STATUS = st.sampled_from([200, 200, 200, 304, 400, 401, 404, 410, 429, 500, 501])


ANSWERS = (
    st.tuples(st.just("resolver"), JSON)
    | st.tuples(st.just("directory"), DOCUMENT | JSON)
    | st.tuples(st.just("pds"), PAGE | JSON)
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=ANSWERS, status=STATUS)
async def test_any_answer(
    network: Network, lookups: None, trusting: ssl.SSLContext, found: tuple[str, Any], status: int
) -> None:
    """Any JSON, from any of the servers, gives a choice or an error of our own."""
    del lookups
    where, body = found
    answer = Response(json.dumps(body).encode(), status)
    network.resolver = answer if where == "resolver" else None
    network.directory = answer if where == "directory" else None
    network.pds.instead = answer if where == "pds" else None
    account = wired()
    async with Client(network, trusting) as http:  # a host that fails much is left alone
        try:
            choice = await Bluesky(http).latest(account, RULES)
        except LastWordError as error:
            assert not any(name in str(error) for name in ("alice", "did:"))  # noqa: PT017
            assert account.source_memory == {}
            return
        assert choice.post is None or RULES.fault(choice.post) is None
        assert json.loads(json.dumps(account.source_memory)) == account.source_memory
        network.pds.instead = JSONResponse({"records": []})
        assert await newest(Bluesky(http), account) is None


async def test_any_document_of_alice_will_do(network: Network, bluesky: Bluesky) -> None:
    """What other software puts into a document does no harm."""
    found = document(ALICE, "alice.example", network.pds.url + "/")
    found["alsoKnownAs"][:0] = ["https://alice.example", 7, "at://not a handle"]
    pds = found["service"][0]
    other = {"id": "#labeler", "type": "AtprotoLabeler", "serviceEndpoint": "https://10.0.0.1"}
    found["service"] = [None, other, pds | {"id": f"{ALICE}#atproto_pds"}, other]
    network.documents[ALICE] = found
    assert await newest(bluesky, wired())
