"""`lastword doctor` tells what the sources cost, and what keeps them from being asked."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from lastword.checkup import Level, _login
from lastword.post import Post
from lastword.publishers.base import Confirmation, Publisher
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.http import GuardedClient
from models import Account, Health
from models.database import Database
from tests.fixtures_cli import Lastword


@pytest.fixture
def with_x(lastword: Lastword, monkeypatch: pytest.MonkeyPatch) -> Lastword:
    """The command, with three accounts at X, and nobody at the other end."""
    monkeypatch.setenv("LASTWORD_PASSWORD", "sesame")
    monkeypatch.setenv("LASTWORD_X_API", "https://127.0.0.1:9")
    monkeypatch.setenv("LASTWORD_XMPP_SERVERS", '{"chat.example": "127.0.0.1:9"}')
    assert lastword("init").code == 0
    for name in ("ann", "bob", "cat"):
        source = f"https://x.com/{name}"
        added = lastword("accounts", "add", name, source, f"{name}@chat.example", "--unseen")
        assert added.code == 0
    return lastword


def test_what_x_costs(with_x: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_X_TOKEN", "token")
    assert "✓ x: 3 accounts: from $0.04 a day, 1 request a run" in with_x("doctor").out
    monkeypatch.setenv("LASTWORD_X_MODE", "search")
    assert with_x("accounts", "pause", "cat").code == 0
    said = "✓ x: 2 accounts by search: $0.01 a day for one new post of each"
    assert said in with_x("doctor").out


def test_x_without_a_token(with_x: Lastword) -> None:
    ended = with_x("doctor")
    assert "✗ x: set LASTWORD_X_TOKEN to your app's bearer token" in ended.out
    assert ended.code == 1


class Noting(Publisher):
    """A publisher that notes whom it is asked to log in, and what might resume a session."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["Noting"]:
        self.asked.append((account.name, account.session_memory))
        yield self

    async def current(self) -> None:
        return None

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del status, post
        raise AssertionError("a doctor changes nothing")

    async def close(self) -> None:
        pass


async def test_a_login_that_is_tried_resumes_nothing_and_refusals_are_not_repeated() -> None:
    publisher = Noting()
    services = Services(
        settings=Settings(),
        database=cast("Database", None),
        http=cast("GuardedClient", None),
        sources={},
        publishers={"login": publisher},
        until_the_end=AsyncExitStack(),
    )
    account = Account(name="alice", source="", jid="alice@chat.example", session_memory="sealed")
    assert (await _login(services, account)).level is Level.OK
    account.health = Health.NEEDS_OWNER
    assert (await _login(services, account)).level is Level.WARNING
    assert publisher.asked == [("alice", None)]
