"""X: what may be published and how it reads, together with whom, and who it is."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastword.errors import Gone, LastWordError, Rejected, Transient
from lastword.judged import latest
from lastword.post import Post
from lastword.sources.http import GuardedClient
from lastword.sources.x import X
from lastword.sources.x_post import post_of
from lastword.sources.x_user import users_of
from models import Account
from tests.fixtures_http import RULES, newest
from tests.fixtures_x import post, wired
from tests.x_server import XServer

DATA = Path(__file__).parent / "data" / "x"
CASES = sorted(path.stem for path in DATA.glob("*.json") if not path.stem.endswith(".post"))
REPLY: dict[str, Any] = {
    "in_reply_to_user_id": "7",
    "referenced_tweets": [{"type": "replied_to", "id": "5"}],
}


@pytest.fixture
def server(x_server: XServer) -> XServer:
    return x_server


@pytest.fixture
def http(x_http: GuardedClient) -> GuardedClient:
    return x_http


@pytest.fixture
def x(http: GuardedClient) -> X:
    return X(http)


async def text_of(x: X, account: Account) -> str | None:
    found = await newest(x, account)
    return found.text if found else None


def stored(account: Account) -> Account:
    """Return the account as a database gives it back."""
    account.source_memory = json.loads(json.dumps(account.source_memory))
    return account


@pytest.mark.parametrize("case", CASES)
async def test_saved_pages(case: str, server: XServer, x: X) -> None:
    server.page = json.loads((DATA / f"{case}.json").read_text("utf-8"))
    server.posts["1000001"] = []
    expected = json.loads((DATA / f"{case}.post.json").read_text("utf-8"))
    account = Account(name="alice", source="x:alice", jid="alice@chat.example")
    found = await newest(x, account)
    assert (found.to_memory() if found else None) == expected


async def test_eight_hundred_cost_eight_requests(server: XServer, http: GuardedClient) -> None:
    accounts = [wired(number) for number in range(800)]
    for number in range(800):
        server.add(number, post(f"Post {number}"))
    for _ in range(2):  # by name, then by id
        x = X(http)
        x.expect(accounts)
        texts = [await text_of(x, stored(account)) for account in accounts]
        assert texts == [f"Post {number}" for number in range(800)]
        assert server.asked == ["users"] * 8
        server.asked.clear()


async def test_one_bad_name_does_no_harm_to_the_rest(server: XServer, x: X) -> None:
    server.add(1, post())
    bad = Account(name="bad", source="x:no-name!", jid="a@chat.example")
    x.expect([bad, wired(1), wired(2)])
    with pytest.raises(Rejected, match="no name at X"):
        await newest(x, bad)
    assert await text_of(x, wired(1)) == "Hello"
    with pytest.raises(Gone, match="no account of that name"):
        await newest(x, wired(2))


async def test_older_posts_where_the_newest_is_a_reply(server: XServer, x: X) -> None:
    user = server.add(1, post("@bob", 10, **REPLY), post("Mine", 20), post("Older", 30))
    account = wired()
    assert await text_of(x, account) == "Mine"
    assert server.asked == ["users", "timeline"]
    assert server.billed == {"users": 1, "posts": 3}
    del server.posts[user][0]
    assert await text_of(X(x._http), stored(account)) == "Mine"
    assert server.asked == ["users", "timeline", "users"]


async def test_older_posts_are_paid_for_once_a_day(server: XServer, x: X) -> None:
    user = server.add(1, post("@bob", 10, **REPLY), post("Mine", 20), post("Older", 30))
    account = wired()
    assert await text_of(x, account) == "Mine"
    del server.posts[user][1]
    assert await text_of(X(x._http), stored(account)) == "Mine"
    assert server.asked.count("timeline") == 1
    tomorrow = replace(RULES, now=RULES.now + timedelta(days=1, minutes=1))
    choice = await X(x._http).latest(stored(account), tomorrow)
    assert choice.post
    assert choice.post.text == "Older", "what was deleted gives way within a day"
    server.posts[user].insert(0, post("@bob again", 5, **REPLY))
    await X(x._http).latest(stored(account), tomorrow)
    assert server.asked.count("timeline") == 3, "asked again at once where there is a new reply"


async def test_deleted_gives_way_to_the_next(server: XServer, x: X) -> None:
    user = server.add(1, post("New", 10), post("Old", 20))
    account = wired()
    assert await text_of(x, account) == "New"
    del server.posts[user][0]
    assert await text_of(X(x._http), stored(account)) == "Old"
    server.posts[user].clear()
    choice = await X(x._http).latest(stored(account), RULES)
    assert (choice.post, choice.why) == (None, "there is no post")


async def test_only_replies(server: XServer, x: X) -> None:
    server.add(1, post("@bob", **REPLY))
    choice = await x.latest(wired(), RULES)
    assert (choice.post, choice.why) == (None, "no eligible post: the newest is a reply")


async def test_nobody_pays_for_what_is_too_old(server: XServer, x: X) -> None:
    server.add(1, post(ago=40 * 86_400), post(ago=50 * 86_400))
    choice = await x.latest(wired(), replace(RULES, max_age=timedelta(days=30)))
    assert (choice.post, choice.why) == (None, "no eligible post: the newest is older than 30d")
    assert server.asked == ["users"]


async def test_old_post_that_stands_is_looked_for(server: XServer, x: X) -> None:
    mine = post("Mine", 50 * 86_400)
    server.add(1, post("@bob", 31 * 86_400, **REPLY), mine)
    rules = replace(RULES, max_age=timedelta(days=30), standing=mine["id"])
    choice = await x.latest(wired(), rules)
    assert choice.post
    assert choice.post.text == "Mine"
    expiring = replace(rules, expires_after=timedelta(days=1))
    assert (await X(x._http).latest(wired(), expiring)).post is None
    assert server.asked == ["users", "timeline", "users"]


async def test_what_was_chosen_by_other_settings(server: XServer, x: X) -> None:
    server.add(1, post("@bob", 10, **REPLY), post("New #private", 20), post("Old", 30))
    account, texts = wired(), list[str]()
    for rules in (RULES, replace(RULES, opt_out="private"), RULES):
        choice = await latest(X(x._http), stored(account), rules)
        texts.append(choice.post.text if choice.post else "")
    assert texts == ["New #private", "Old", "New #private"]


async def test_own_words_are_looked_for_further_back(server: XServer, x: X) -> None:
    posts = [post(f"Chatter {number}", number) for number in range(20)]
    server.add(1, *posts, post("Here #status", 100))
    choice = await x.latest(wired(), replace(RULES, only=frozenset({"#status"})))
    assert choice.post
    assert choice.post.text == "Here #status"


@pytest.mark.parametrize(
    ("more", "words"),
    [({"protected": True}, "protected: only its followers"), ({}, "has suspended the account")],
)
async def test_accounts_that_are_not_shown(
    server: XServer, x: X, more: dict[str, Any], words: str
) -> None:
    user = server.add(1, post(), **more)
    if not more:
        server.suspended.add(user)
    with pytest.raises(Gone, match=words):
        await newest(x, wired())


async def test_deleted_account_and_its_return(server: XServer, x: X) -> None:
    user = server.add(1, post())
    account = wired()
    await newest(x, account)
    kept = server.users.pop(user)
    server.add(9, post("Somebody else"), username="User1")
    with pytest.raises(Gone):
        await newest(X(x._http), stored(account))
    server.users[user] = kept
    assert await text_of(X(x._http), stored(account)) == "Hello"


async def test_new_name(server: XServer, x: X) -> None:
    user = server.add(1, post())
    account = wired()
    await newest(x, account)
    server.users[user]["username"] = "alice_new"
    choice = await X(x._http).latest(stored(account), RULES)
    assert "another name at X" in choice.notice
    assert choice.post
    assert f"{choice.post.url}".startswith("https://x.com/alice_new/status/")


async def test_left_out_of_the_answer(server: XServer, x: X) -> None:
    server.page = {"data": []}
    with pytest.raises(Transient, match="left the account out"):
        await newest(x, wired())


async def test_memory_of_another_address_is_not_used(server: XServer, x: X) -> None:
    server.add(1, post("One"))
    server.add(2, post("Two"))
    account = wired(1)
    await newest(x, account)
    account.source = "x:user2"
    assert await text_of(X(x._http), stored(account)) == "Two"
    account.source_memory = {"source": "user2", "id": 5}
    assert await text_of(X(x._http), account) == "Two"


@pytest.mark.parametrize(
    "damage",
    [
        {"id": "1,2"},
        {"looked": "2026-03-01T12:00:00"},
        {"since": "soon"},
        {"choice": {"post": {"id": "5", "text": "x", "time": "2026-03-01T12:00:00"}}},
        {"choice": None},
    ],
    ids=repr,
)
async def test_memory_that_is_damaged(damage: dict[str, Any], server: XServer, x: X) -> None:
    server.add(1, post())
    account = wired()
    await newest(x, account)
    kept = account.source_memory
    account.source_memory = kept | damage
    x = X(x._http)
    x.expect([account])
    assert await text_of(x, account) == "Hello"
    assert account.source_memory == kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "text",
                    "entities",
                    "urls",
                    "url",
                    "expanded_url",
                    "hashtags",
                    "tag",
                    "note_tweet",
                    "created_at",
                    "type",
                    "referenced_tweets",
                    "data",
                    "includes",
                    "tweets",
                    "errors",
                    "username",
                    "most_recent_tweet_id",
                    "value",
                    "parameter",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(page=st.dictionaries(st.sampled_from(["data", "includes", "errors"]), JSON), entity=JSON)
def test_any_json_gives_posts_or_errors_of_the_tree(page: dict[str, Any], entity: Any) -> None:  # noqa: ANN401
    for found in users_of(page, "id").values():
        assert isinstance(found, LastWordError) or found.newest is None or found.id
    assert isinstance(post_of(entity, "1", "alice"), Post | None)
