"""Many accounts on one server: within its limits, and asked together what has changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, Gone, LastWordError
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon
from models import Account
from tests.fixtures_fediverse import Ask, Instance, Start
from tests.fixtures_http import RULES

LIMIT = 300
MANY = 800


class Throttled(Instance):
    """Answers 300 requests to its API in five minutes, as Mastodon does, and then 429.

    https://docs.joinmastodon.org/api/rate-limits/
    """

    left = LIMIT
    refused = 0

    async def answer(self, request: Request) -> Response:
        self.refused += self.left <= 0
        refusal = JSONResponse({"error": "Too many requests"}, 429)
        response = await super().answer(request) if self.left > 0 else refusal
        self.left = max(self.left - 1, 0)
        reset = datetime.now(UTC) + timedelta(minutes=5)
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(self.left)
        response.headers["X-RateLimit-Reset"] = f"{reset:%Y-%m-%dT%H:%M:%S.%fZ}"
        return response


class Town:
    """A server with many people, all of whom have an account with us."""

    def __init__(self, server: Instance, asking: Ask) -> None:
        self.server = server
        self._asking = asking
        self.accounts: list[Account] = []

    def settle(self, number: int) -> None:
        for one in range(number):
            user, activity = f"u{one}", {"statuses_count": 2, "last_status_at": "2025-06-02"}
            self.server.add(user, str(1_000 + one), **activity)
            self.accounts.append(self.server.wired(user))

    def posts(self, user: str) -> None:
        account = self.server.accounts[user]
        account["statuses_count"] += 1
        self.server.statuses[account["id"]].insert(
            0, {"id": "9", "content": "news", "created_at": "2025-06-09T10:00:00Z"}
        )

    async def run(
        self, rules: Rules = RULES, accounts: Sequence[Account] | None = None
    ) -> list[Choice | LastWordError]:
        """Let each account be looked at, in the way of one run."""
        accounts = self.accounts if accounts is None else accounts
        self.server.asked.clear()
        async with self._asking(self.server) as http:
            mastodon = Mastodon(http)
            mastodon.expect(accounts)
            return await asyncio.gather(*(self._look(mastodon, it, rules) for it in accounts))

    async def _look(
        self, mastodon: Mastodon, account: Account, rules: Rules
    ) -> Choice | LastWordError:
        try:
            return await mastodon.latest(account, rules)
        except LastWordError as error:
            return error

    def texts(self, results: Sequence[Choice | LastWordError]) -> list[str | None]:
        return [it.post.text if isinstance(it, Choice) and it.post else None for it in results]


@pytest.fixture
async def town(start_instance: Start, asking: Ask) -> Town:
    return Town(await start_instance(tls=False), asking)


async def test_all_are_looked_at_in_turn_within_the_limit(
    start_instance: Start, asking: Ask
) -> None:
    server = await start_instance(Throttled, tls=False)
    assert isinstance(server, Throttled)
    server.batch = JSONResponse({"error": "Record not found"}, 404)
    town = Town(server, asking)
    town.settle(MANY)
    waiting, runs = town.accounts, 0
    while waiting:
        server.left = LIMIT
        results = await town.run(accounts=waiting)
        assert server.refused == 0
        errors = [it for it in results if isinstance(it, LastWordError)]
        assert all(type(error) is Deferred and error.until for error in errors)
        waiting = [
            account
            for account, result in zip(waiting, results, strict=True)
            if isinstance(result, Deferred)
        ]
        runs += 1
    # Each had to be looked up, and looked at.
    assert runs == -(-2 * MANY // LIMIT)

    server.left, server.batch = LIMIT, None
    town.posts("u7")
    results = await town.run()
    assert all(isinstance(result, Choice) and result.post for result in results)
    assert town.texts(results)[7] == "news"
    assert sorted(server.asked) == ["1007/statuses", *["batch 40"] * 20]


async def test_few_are_not_asked_for_together(town: Town) -> None:
    town.settle(40)
    await town.run()
    await town.run()
    assert {what.partition("/")[2] for what in town.server.asked} == {"statuses"}


async def test_can_be_switched_off(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.settle(41)
    await town.run()
    monkeypatch.setenv("LASTWORD_MASTODON_BATCH", "false")
    await town.run()
    assert len(town.server.asked) == 41


async def test_who_is_looked_at_all_the_same(town: Town) -> None:
    town.settle(45)
    await town.run()
    town.posts("u1")
    del town.server.accounts["u2"]["statuses_count"]
    del town.server.accounts["u3"]
    town.server.accounts["u4"]["suspended"] = True
    town.server.accounts["u5"]["moved"] = {"acct": "u6"}
    results = await town.run()
    assert sorted(town.server.asked) == [
        "/.well-known/webfinger",
        *("1001/statuses", "1002/statuses", "1003/statuses", "1006/statuses"),
        *("batch 40", "batch 5"),
        *("lookup u3", "lookup u4", "lookup u5", "lookup u6", "u3"),
    ]
    assert town.texts(results)[1] == "news"
    assert isinstance(results[3], Gone)
    assert isinstance(results[4], Gone)
    assert isinstance(results[5], Choice)
    assert results[5].notice


async def test_looked_at_every_six_hours_for_edits(town: Town) -> None:
    town.settle(41)
    await town.run()
    for hours, looks in ((5, 0), (7, 41), (12, 0), (14, 41)):
        later = replace(RULES, now=RULES.now + timedelta(hours=hours))
        await town.run(later)
        assert sum("statuses" in what for what in town.server.asked) == looks


async def test_new_posts_are_looked_at_each_time(town: Town) -> None:
    """They are what people edit and delete."""
    town.settle(41)
    fresh = {"id": "9", "content": "teh news", "created_at": RULES.now.isoformat()}
    town.server.statuses["1000"] = [fresh]
    await town.run()
    town.server.statuses["1000"] = [fresh | {"content": "the news"}]
    assert town.texts(await town.run())[0] == "the news"
    assert sum("statuses" in what for what in town.server.asked) == 1


async def test_unchanged_posts_are_judged_anew(town: Town) -> None:
    town.settle(41)
    await town.run()
    results = await town.run(replace(RULES, max_age=timedelta(days=1)))
    assert town.texts(results) == [None] * 41
    assert len(town.server.asked) == 2


async def test_look_that_failed_is_made_up_for(town: Town) -> None:
    town.settle(41)
    await town.run()
    town.posts("u0")
    statuses, town.server.statuses["1000"] = town.server.statuses["1000"], "not now"
    results = await town.run()
    assert isinstance(results[0], LastWordError)
    town.server.statuses["1000"] = statuses
    assert town.texts(await town.run())[0] == "news"


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": "Record not found"}, 404),
        JSONResponse({"error": "Unprocessable"}, 422),
        JSONResponse({"error": "This method requires an authenticated user"}, 401),
        JSONResponse({}),
        PlainTextResponse("<html>"),
        Response(status_code=500),
    ],
)
async def test_server_that_cannot(answer: Response, town: Town) -> None:
    town.settle(45)
    await town.run()
    town.server.batch = answer
    results = await town.run()
    assert None not in town.texts(results)
    looks = [what for what in town.server.asked if "batch" not in what]
    assert len(looks) == 45


async def test_server_that_has_had_enough(town: Town) -> None:
    town.settle(45)
    await town.run()
    town.server.batch = JSONResponse({"error": "Too many requests"}, 429)
    results = await town.run()
    assert all(isinstance(result, Deferred) for result in results)


async def test_nonsense_is_no_answer(town: Town) -> None:
    town.settle(45)
    await town.run()
    town.server.batch = JSONResponse([None, {"id": "77"}, [], {"id": {}}, "x"])
    assert None not in town.texts(await town.run())


async def test_expects_anything(http: GuardedClient) -> None:
    accounts = [
        Account(name="a", source="mastodon:nonsense", jid="a@chat.example"),
        Account(name="b", source="mastodon:b@a.example", jid="a@b.c", source_memory={"id": []}),
    ]
    Mastodon(http).expect(accounts)
