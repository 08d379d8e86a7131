"""Accounts that have moved: followed once, told to their owner, and found when the old is gone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from lastword.diagnosis import diagnosis
from lastword.errors import Gone, Rejected, Transient
from lastword.sources.mastodon import Mastodon
from tests.fixtures_fediverse import Ask, Instance, Start
from tests.fixtures_http import RULES, newest

TOMORROW = replace(RULES, now=RULES.now + timedelta(days=1, minutes=1))


class Move:
    """An account that has moved from one server to another, under another name."""

    def __init__(self, old: Instance, new: Instance, mastodon: Mastodon) -> None:
        self.old, self.new, self.mastodon = old, new, mastodon
        self.old.accounts["alice"]["moved"] = {
            "id": "5",
            "acct": new.handle("alicia"),
            "url": f"https://{new.address}/@alicia",
        }
        self.old.statuses["109"][0]["content"] = "the old one"
        self.account = old.wired()

    async def newest(self, rules: Any = RULES) -> str | None:  # noqa: ANN401
        post = await newest(self.mastodon, self.account, rules)
        return post.text if post else None


@pytest.fixture
async def move(start_instance: Start, asking: Ask) -> AsyncIterator[Move]:
    old, new = await start_instance(), await start_instance()
    new.accounts.clear()
    new.add("alicia", "7")
    new.statuses["7"] = [{"id": "1", "content": "the new one", "account": {"id": "7"}}]
    async with asking(old, new) as http:
        yield Move(old, new, Mastodon(http))


async def test_followed_once_and_told(move: Move) -> None:
    choice = await move.mastodon.latest(move.account, RULES)
    assert choice.post
    assert choice.post.text == "the new one"
    assert choice.notice == "its source has moved: see `lastword why`"
    address = f"mastodon:{move.new.handle('alicia')}"
    assert move.account.source_memory["moved_to"] == address
    lines = dict(diagnosis(move.account, [], RULES.now))
    assert lines["Moved"] == f"`lastword accounts edit alice --source {address}`"
    assert await move.newest() == "the new one"
    assert move.old.asked == ["lookup alice"]
    assert move.new.asked == ["lookup alicia", "7/statuses", "7/statuses"]


@pytest.mark.parametrize(
    "moved", [{"acct": "{user}@{server}"}, {"url": "https://{server}/users/{user}", "acct": "x"}]
)
async def test_either_address_will_do(moved: dict[str, str], move: Move) -> None:
    move.old.accounts["alice"]["moved"] = {
        name: text.format(user="alicia", server=move.new.address) for name, text in moved.items()
    }
    assert await move.newest() == "the new one"


async def test_move_within_a_server(move: Move) -> None:
    move.old.add("alice2", "110")
    move.old.statuses["110"] = [{"id": "1", "content": "round the corner"}]
    move.old.accounts["alice"]["moved"] = {"id": "110", "acct": "alice2"}
    assert await move.newest() == "round the corner"


async def test_second_move_is_not_followed(move: Move) -> None:
    move.new.accounts["alicia"]["moved"] = {"acct": move.old.handle("alice")}
    assert await move.newest() == "the new one"
    assert move.old.asked == ["lookup alice"]


async def test_move_to_itself(move: Move) -> None:
    move.old.accounts["alice"]["moved"] = {"acct": "alice"}
    assert await move.newest() == "the old one"
    assert "moved_to" not in move.account.source_memory


@pytest.mark.parametrize("moved", [{}, [], "x", {"acct": "../.."}, {"url": "http://a.example/@b"}])
async def test_move_to_nowhere(moved: object, move: Move) -> None:
    move.old.accounts["alice"]["moved"] = moved
    assert await move.newest() == "the old one"


async def test_move_is_noticed_and_undone(move: Move) -> None:
    moved = move.old.accounts["alice"].pop("moved")
    assert await move.newest() == "the old one"
    move.old.accounts["alice"]["moved"] = moved
    assert await move.newest() == "the old one"
    assert await move.newest(TOMORROW) == "the new one"
    del move.old.accounts["alice"]["moved"]
    later = replace(TOMORROW, now=TOMORROW.now + timedelta(days=1, minutes=1))
    assert await move.newest(later) == "the old one"
    assert "moved_to" not in move.account.source_memory


@pytest.mark.parametrize("left", ["closed", "suspended", "deleted", "broken"])
async def test_old_server_may_go(left: str, move: Move) -> None:
    await move.newest()
    match left:
        case "closed":
            move.old.token = "secret"
        case "suspended":
            move.old.accounts["alice"] |= {"suspended": True, "moved": None}
        case "deleted":
            move.old.accounts.clear()
        case _:
            move.old.instead = Response(status_code=502)
    assert await move.newest(TOMORROW) == "the new one"
    assert move.new.asked[-2:] == ["lookup alicia", "7/statuses"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(status_code=404), Gone),
        (Response(status_code=502), Transient),
        (Response("<h1>Elsewhere</h1>"), Rejected),
    ],
)
async def test_new_server_that_cannot_be_asked(
    answer: Response, error: type[Exception], move: Move
) -> None:
    move.new.instead = answer
    with pytest.raises(error, match=move.new.address):
        await move.newest()
    assert "Moved" in dict(diagnosis(move.account, [], RULES.now))


async def test_new_server_that_demands_a_token(move: Move) -> None:
    move.new.token = "secret"
    move.new.feeds["/@alicia.rss"] = (
        "<rss><channel><item><description>by feed</description></item></channel></rss>"
    )
    assert await move.newest() == "by feed"
    assert move.new.asked[1:] == ["/@alicia.rss"]
