"""Mastodon: finding accounts that come and go, and servers that are none."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from lastword.eligibility import Rules, words
from lastword.errors import Gone, LastWordError, Rejected, Transient
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon
from models import Account
from tests.fixtures_fediverse import STATUSES, Instance
from tests.fixtures_http import RULES, newest

WEBFINGER = "/.well-known/webfinger"
TOMORROW = replace(RULES, now=RULES.now + timedelta(days=1, minutes=1))


@pytest.fixture
def mastodon(http: GuardedClient) -> Mastodon:
    return Mastodon(http)


async def test_id_is_looked_up_once(instance: Instance, mastodon: Mastodon) -> None:
    account = instance.wired()
    assert await newest(mastodon, account) == await newest(mastodon, account) is not None
    assert instance.asked == ["lookup alice", "109/statuses", "109/statuses"]
    assert instance.parameters == {
        "limit": "40",
        "exclude_replies": "true",
        "exclude_reblogs": "true",
    }


async def test_name_is_looked_up_again_each_day(instance: Instance, mastodon: Mastodon) -> None:
    """A move or a suspension does not show in a list of statuses that goes on."""
    account = instance.wired()
    await newest(mastodon, account)
    instance.accounts["alice"]["suspended"] = True
    assert await newest(mastodon, account) is not None
    with pytest.raises(Gone, match="has suspended the account: ask its moderators"):
        await newest(mastodon, account, TOMORROW)
    assert instance.asked[-1] == "lookup alice"


@pytest.mark.parametrize(
    "fine", [{"limited": True}, {"memorial": True}, {"locked": True}, {"bot": True}, {"moved": 1}]
)
async def test_accounts_that_are_no_less_public(
    fine: dict[str, Any], instance: Instance, mastodon: Mastodon
) -> None:
    instance.add("alice", "109", suspended=False, **fine)
    assert await newest(mastodon, instance.wired()) is not None


async def test_id_of_another_handle_is_not_used(instance: Instance, mastodon: Mastodon) -> None:
    account = instance.wired()
    await newest(mastodon, account)
    instance.add("bob", "110")
    account.source = instance.wired("bob").source
    assert await newest(mastodon, account) is not None
    assert instance.asked[2:] == ["lookup bob", "110/statuses"]


async def test_new_id_under_the_same_name(instance: Instance, mastodon: Mastodon) -> None:
    account = instance.wired()
    await newest(mastodon, account)
    instance.add("alice", "777")
    assert await newest(mastodon, account) is not None
    assert instance.asked[2:] == ["109/statuses", "lookup alice", "777/statuses"]
    await newest(mastodon, account)
    assert instance.asked[5:] == ["777/statuses"]


async def test_unknown_account(instance: Instance, mastodon: Mastodon) -> None:
    with pytest.raises(Gone, match="answers 404 Not Found: check the address"):
        await newest(mastodon, instance.wired("nobody"))


async def test_deleted_account(instance: Instance, mastodon: Mastodon) -> None:
    account = instance.wired()
    await newest(mastodon, account)
    instance.accounts.clear()
    with pytest.raises(Gone):
        await newest(mastodon, account)
    assert instance.asked[2:] == ["109/statuses", "lookup alice", "alice", WEBFINGER]


async def test_suspended_account_comes_back(instance: Instance, mastodon: Mastodon) -> None:
    """A suspended account's list is empty; only the account says why."""
    account = instance.wired()
    post = await newest(mastodon, account)
    instance.statuses["109"] = []
    instance.accounts["alice"]["suspended"] = True
    with pytest.raises(Gone, match=r"has suspended the account"):
        await newest(mastodon, account)
    instance.add()
    assert await newest(mastodon, account) == post


async def test_silent_account_is_not_looked_up_each_time(
    instance: Instance, mastodon: Mastodon
) -> None:
    instance.statuses["109"] = []
    account = instance.wired()
    assert await newest(mastodon, account) is None
    assert await newest(mastodon, account) is None
    assert instance.asked == ["lookup alice", "109/statuses", "109/statuses"]


async def test_edited_and_deleted_posts(instance: Instance, mastodon: Mastodon) -> None:
    account = instance.wired()
    before = await newest(mastodon, account)
    edited = STATUSES[0] | {"content": "<p>On second thought</p>", "edited_at": "2025-06-02"}
    instance.statuses["109"] = [edited, STATUSES[1]]
    after = await newest(mastodon, account)
    assert before and after  # noqa: PT018
    assert (after.id, after.text) == (before.id, "On second thought")
    instance.statuses["109"] = [STATUSES[1]]
    left = await newest(mastodon, account)
    assert left
    assert left.text == "older"


async def test_a_page_of_nothing_but_replies(instance: Instance, mastodon: Mastodon) -> None:
    """A thread answers itself, and some servers list replies although they are told not to."""
    replies = [{"id": str(n), "in_reply_to_id": "1", "content": "x"} for n in range(69, 29, -1)]
    instance.statuses["109"] = replies
    account = instance.wired()
    assert await newest(mastodon, account) is None
    assert instance.parameters["max_id"] == "30"
    assert instance.asked.count("109/statuses") == 2
    instance.statuses["109"] = [reply | {"in_reply_to_id": None, "tags": []} for reply in replies]
    assert await newest(mastodon, account) is not None


async def test_the_one_that_stands_is_looked_for(instance: Instance, mastodon: Mastodon) -> None:
    chatter = [status(number) for number in range(90, 50, -1)]
    standing = status(50, "Mine #status", days=50)
    instance.statuses["109"] = [*chatter, standing]
    own = replace(RULES, only=words("#status"), max_age=timedelta(days=30), standing="50")
    found = await newest(mastodon, instance.wired(), own)
    assert found
    assert found.id == "50"
    assert instance.asked.count("109/statuses") == 2


async def test_a_thread_whose_head_opts_out(instance: Instance, mastodon: Mastodon) -> None:
    thread = [status(number, in_reply_to_id="51") for number in range(90, 51, -1)]
    instance.statuses["109"] = [*thread, status(51, "Not this #nostatus"), status(50, "Mine")]
    found = await newest(mastodon, instance.wired())
    assert found
    assert found.text == "Mine"


@pytest.mark.parametrize(
    "rules",
    [
        replace(RULES, max_age=timedelta(days=30)),
        replace(RULES, expires_after=timedelta(days=2), standing="50"),
    ],
)
async def test_what_is_too_old_is_not_paged_through(
    rules: Rules, instance: Instance, mastodon: Mastodon
) -> None:
    instance.statuses["109"] = [status(number, days=50) for number in range(90, 49, -1)]
    assert await newest(mastodon, instance.wired(), rules) is None
    assert instance.asked.count("109/statuses") == 1


def status(number: int, text: str = "Chatter", days: float = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    time = (RULES.now - timedelta(days=days)).isoformat()
    return {"id": str(number), "content": text, "created_at": time} | more


async def test_server_without_lookup(instance: Instance, mastodon: Mastodon) -> None:
    instance.without = {"lookup"}
    assert await newest(mastodon, instance.wired()) is not None
    assert instance.asked == ["lookup alice", "alice", "109/statuses"]


async def test_name_that_is_the_id_of_somebody_else(instance: Instance, mastodon: Mastodon) -> None:
    instance.without = set()
    with pytest.raises(Gone):
        await newest(mastodon, instance.wired("109"))
    assert instance.asked == ["lookup 109", "109", WEBFINGER]


async def test_answer_with_another_account(instance: Instance, mastodon: Mastodon) -> None:
    instance.accounts["bob"] = instance.accounts["alice"]
    with pytest.raises(Gone, match="answers with another account"):
        await newest(mastodon, instance.wired("bob"))


async def test_copy_of_an_account(instance: Instance, mastodon: Mastodon) -> None:
    instance.add(acct="alice@other.example", url="https://other.example/@alice")
    with pytest.raises(Rejected, match="has only a copy of the account"):
        await newest(mastodon, instance.wired())
    instance.add(acct="alice@example.net", url=f"http://{instance.address}/@alice")
    assert await newest(mastodon, instance.wired()) is not None


@pytest.mark.parametrize(
    "instead",
    [
        HTMLResponse("<h1>Welcome</h1>"),
        JSONResponse([]),
        JSONResponse({"id": "../../etc"}),
        JSONResponse({}),
        Response(b"[" * 900_000),
        Response(b"\xff\xfe\x00"),
        Response(b"1" * 5_000),
    ],
)
async def test_not_mastodon(instance: Instance, mastodon: Mastodon, instead: Response) -> None:
    account = instance.wired()
    instance.instead = instead
    with pytest.raises(Rejected) as refused:
        await newest(mastodon, account)
    assert str(refused.value) == (
        f"{instance.address} does not answer as a Mastodon server: check the server's name"
    )
    assert account.source_memory == {}
    instance.instead = None
    await newest(mastodon, account)
    instance.instead = instead if instead.body != b"[]" else JSONResponse({})
    with pytest.raises(Transient, match="does not answer as a Mastodon server now"):
        await newest(mastodon, account)


@pytest.mark.parametrize(
    "memory",
    [
        {"id": "109"},
        {"id": {}, "looked_up": "soon", "post": 5, "base": []},
        {"base": "https://elsewhere.example", "user": "../..", "id": "109"},
        {"id": "109", "looked_up": "2999-01-01T00:00:00Z"},
        {"id": "109", "post": {"id": 5, "text": None}, "why": ""},
        {"id": "109", "post": {"id": "5", "text": "x", "time": "2025-01-01T00:00:00"}, "why": ""},
    ],
)
async def test_memory_of_another_version(
    memory: dict[str, Any], instance: Instance, mastodon: Mastodon
) -> None:
    account = instance.wired()
    account.source_memory = {"handle": account.source.partition(":")[2]} | memory
    assert await newest(mastodon, account) is not None
    assert instance.asked == ["lookup alice", "109/statuses"]


async def test_damaged_handle(mastodon: Mastodon) -> None:
    account = Account(name="alice", source="mastodon:alice", jid="alice@chat.example")
    with pytest.raises(LastWordError, match="a Mastodon address is user@server"):
        await newest(mastodon, account)
