"""X by search: new posts only, billed once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lastword.sources.http import GuardedClient
from lastword.sources.x import X
from lastword.sources.x_search import since_id, time_of
from models import Account
from models.types import now
from tests.fixtures_http import RULES, newest
from tests.fixtures_x import post, wired
from tests.x_server import XServer


@pytest.fixture(autouse=True)
def search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_X_MODE", "search")


async def _run(http: GuardedClient, accounts: list[Account]) -> list[str | None]:
    x = X(http)
    x.expect(accounts)
    posts = [await newest(x, account) for account in accounts]
    return [found.text if found else None for found in posts]


async def test_only_new_posts_are_paid_for(x_server: XServer, x_http: GuardedClient) -> None:
    accounts = [wired(number) for number in range(40)]
    users = [x_server.add(number, post(f"Old {number}", 3600)) for number in range(40)]
    assert await _run(x_http, accounts) == [f"Old {number}" for number in range(40)]
    assert x_server.asked == ["users"]
    x_server.asked.clear()
    x_server.billed.clear()
    x_server.posts[users[3]].insert(0, post("New", 0) | {"author_id": users[3]})
    x_server.posts[users[4]].insert(
        0, post("@bob", 0, in_reply_to_user_id="7") | {"author_id": users[4]}
    )
    texts = await _run(x_http, accounts)
    assert texts == ["Old 0", "Old 1", "Old 2", "New", *(f"Old {it}" for it in range(4, 40))]
    assert x_server.asked == ["search 17", "search 17", "search 6"]
    assert x_server.billed == {"posts": 1}


async def test_new_account_is_looked_up_beside_the_search(
    x_server: XServer, x_http: GuardedClient
) -> None:
    x_server.add(1, post("One", 3600))
    x_server.add(2, post("Two", 3600))
    one = wired(1)
    await _run(x_http, [one])
    assert await _run(x_http, [one, wired(2)]) == ["One", "Two"]
    assert sorted(x_server.asked) == ["search 1", "users", "users"]


async def test_after_a_week_without_runs_accounts_are_looked_up(
    x_server: XServer, x_http: GuardedClient
) -> None:
    x_server.add(1, post("Old", 20 * 86_400))
    account = wired()
    await _run(x_http, [account])
    account.source_memory = account.source_memory | {"since": since_id(now() - timedelta(days=7))}
    assert await _run(x_http, [account]) == ["Old"]
    assert x_server.asked == ["users", "users"]


async def test_more_than_a_page_of_new_posts(x_server: XServer, x_http: GuardedClient) -> None:
    busy, quiet = x_server.add(1, post("Old", 3600)), x_server.add(2, post("Old", 3600))
    accounts = [wired(1), wired(2)]
    await _run(x_http, accounts)
    x_server.posts[quiet].insert(0, post("Quiet", 30) | {"author_id": quiet})
    x_server.posts[busy][:0] = [
        post(f"Busy {number}", 0) | {"author_id": busy} for number in range(250, 0, -1)
    ]
    x_server.posts[busy].sort(key=lambda it: -int(it["id"]))
    newest_of_busy = x_server.posts[busy][0]["text"]
    assert await _run(x_http, accounts) == [newest_of_busy, "Quiet"]
    assert x_server.asked == ["users", "search 2", "search 2", "search 2"]


async def test_who_writes_little_is_not_hidden_by_who_writes_a_lot(
    x_server: XServer, x_http: GuardedClient
) -> None:
    busy, quiet = x_server.add(1, post("Old", 3600)), x_server.add(2, post("Old", 3600))
    accounts = [wired(1), wired(2)]
    await _run(x_http, accounts)
    x_server.posts[quiet].insert(0, post("Quiet", 50) | {"author_id": quiet})
    x_server.posts[busy][:0] = [
        post(f"Busy {number}", 0) | {"author_id": busy} for number in range(1001, 0, -1)
    ]
    x_server.posts[busy].sort(key=lambda it: -int(it["id"]))
    assert (await _run(x_http, accounts))[1] == "Quiet"
    assert x_server.asked == ["users", *["search 2"] * 10, "users"]


async def test_what_stands_grows_old(x_server: XServer, x_http: GuardedClient) -> None:
    x_server.add(1, post("Old", 3600))
    account = wired()
    await _run(x_http, [account])
    rules = replace(RULES, now=now(), expires_after=timedelta(minutes=30))
    choice = await X(x_http).latest(account, rules)
    assert (choice.post, choice.why) == (None, "no eligible post: the newest has expired")


def test_ids_hold_their_time() -> None:
    moment = now()
    assert abs(time_of(since_id(moment)) - moment) < timedelta(milliseconds=2)
    assert time_of("1212092628029698048").isoformat().startswith("2019-12-31T19:26:16")
