"""X: limits obeyed, and trouble with the app told as what it is, never as an account's fault."""

import json
import ssl
from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lastword.errors import Deferred, Systemic, Transient
from lastword.sources.http import GuardedClient
from lastword.sources.x import X
from models.types import now
from tests.fixtures_http import newest
from tests.fixtures_x import asking, post, wired
from tests.x_server import TOKEN, XServer, problem, running


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem("", "Unauthorized", 401), "refuses the app's token (401): set LASTWORD_X_TOKEN"),
        (problem("credits", "CreditsDepleted", 402), "credits at X are used up (402): buy more"),
        (problem("client-forbidden", "Client Forbidden", 403), "forbids the app to read (403)"),
        (problem("usage-capped", "UsageCapExceeded", 429), "reached its usage cap at X: raise it"),
        (problem("invalid-request", "Invalid Request", 400), "set LASTWORD_X_WORD=post"),
        (PlainTextResponse("gone", 404), "does not accept our requests (404)"),
        (Response(status_code=302, headers={"Location": "https://127.0.0.1/"}), "cannot be used"),
    ],
)
async def test_trouble_with_the_app_stops_x_alone(
    x_server: XServer, x_http: GuardedClient, answer: Response, words: str
) -> None:
    x_server.instead = answer
    with pytest.raises(Systemic) as caught:
        await newest(X(x_http), wired())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.kind == "x"


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("down", 503), PlainTextResponse("<html>"), JSONResponse([])]
)
async def test_worth_another_try(
    x_server: XServer, x_http: GuardedClient, answer: Response
) -> None:
    x_server.add(1, post())
    x_server.instead = answer
    x = X(x_http)
    x.expect([wired(1)])
    with pytest.raises(Transient):
        await newest(x, wired())
    x_server.instead = None
    assert await newest(x, wired()), "the failed request is made anew"


async def test_limit_reached_waits_for_its_reset(x_server: XServer, x_http: GuardedClient) -> None:
    x_server.limits["users"] = 2
    accounts = [wired(number) for number in range(350)]
    for number in range(350):
        x_server.add(number, post())
    x = X(x_http)
    x.expect(accounts)
    for account in accounts[:200]:
        assert await newest(x, account)
    for account in accounts[200:]:
        with pytest.raises(Deferred) as caught:
            await newest(x, account)
        assert caught.value.until == datetime.fromtimestamp(x_server.reset, UTC)
    assert x_server.asked == ["users"] * 2, "what is known to be refused is not asked"


async def test_refused_for_too_many_requests(x_server: XServer, x_http: GuardedClient) -> None:
    """Others with the same app may have used it up."""
    x_server.limits["users"] = 0
    with pytest.raises(Deferred, match="no more requests") as caught:
        await newest(X(x_http), wired())
    assert caught.value.until == datetime.fromtimestamp(x_server.reset, UTC)


async def test_asked_to_wait_by_a_header_alone(x_server: XServer, x_http: GuardedClient) -> None:
    """Whatever stands before X's API may turn us away, too, and knows nothing of its limits."""
    x_server.add(1, post())
    x_server.instead = PlainTextResponse("slow down", 429, {"Retry-After": "600"})
    x = X(x_http)
    for _ in range(2):
        with pytest.raises(Deferred, match="no more requests") as caught:
            await newest(x, wired())
        assert caught.value.until
        assert 590 < (caught.value.until - now()).total_seconds() <= 600
    assert x_server.asked == ["users"], "what is known to be refused is not asked"


async def test_timelines_have_a_limit_of_their_own(
    x_server: XServer, x_http: GuardedClient
) -> None:
    x_server.limits["users"] = 1
    x_server.add(1, post("@bob", in_reply_to_user_id="7"), post("Mine"))
    found = await newest(X(x_http), wired())
    assert found
    assert found.text == "Mine"


async def test_without_a_token(
    x_server: XServer, x_http: GuardedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_X_TOKEN", " ")
    with pytest.raises(Systemic, match="set LASTWORD_X_TOKEN"):
        await newest(X(x_http), wired())
    with pytest.raises(Systemic, match="set LASTWORD_X_TOKEN"):
        X.remarks(5)
    assert x_server.asked == []


async def test_a_hundred_long_posts_are_read(x_server: XServer, x_http: GuardedClient) -> None:
    """They are larger than what any other server may send."""
    long = {"text": "é" * 5_000}
    accounts = [wired(number) for number in range(100)]
    for number in range(100):
        x_server.add(number, post("é…", note_tweet=long))
    x = X(x_http)
    x.expect(accounts)
    posts = [await newest(x, account) for account in accounts]
    assert len(json.dumps([it.text for it in posts if it])) > 2_000_000
    assert x_server.asked == ["users"]


async def test_the_new_words(trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running("post") as server:
        monkeypatch.setenv("LASTWORD_X_TOKEN", TOKEN)
        monkeypatch.setenv("LASTWORD_X_API", server.url)
        monkeypatch.setenv("LASTWORD_X_WORD", "post")
        server.add(1, post("@bob", in_reply_to_user_id="7"), post("Mine"))
        async with asking(server, trusting) as http:
            found = await newest(X(http), wired())
    assert found
    assert found.text == "Mine"
    assert server.asked == ["users", "timeline"]


def test_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_X_TOKEN", "abc")
    assert X.remarks(800)[0].startswith("800 accounts: from $12.00 a day, 8 requests a run")
    monkeypatch.setenv("LASTWORD_X_MODE", "search")
    assert X.remarks(800)[0].startswith("800 accounts by search: $4.00 a day for one new post of")
