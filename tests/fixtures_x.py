"""X's API on loopback, and a client that may ask it."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from lastword.settings import Settings
from lastword.sources.http import GuardedClient
from models import Account
from tests.x_server import TOKEN, XServer, running, snowflake

NUMBERS = count()


@pytest.fixture
async def x_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[XServer]:
    async with running() as server:
        monkeypatch.setenv("LASTWORD_X_API", server.url)
        monkeypatch.setenv("LASTWORD_X_TOKEN", TOKEN)
        yield server


@pytest.fixture
async def x_http(x_server: XServer, trusting: ssl.SSLContext) -> AsyncIterator[GuardedClient]:
    async with asking(x_server, trusting) as http:
        yield http


def asking(server: XServer, trusting: ssl.SSLContext) -> GuardedClient:
    allowed = {"allow_hosts": [f"127.0.0.1:{server.port}"], "http_deadline": 10}
    return GuardedClient(Settings.model_validate(allowed), trusting)


def wired(number: int = 1) -> Account:
    return Account(name=f"a{number}", source=f"x:user{number}", jid="alice@chat.example")


def post(text: str = "Hello", ago: float = 60, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a post as X's API has them, so many seconds old."""
    time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
    made = {"id": snowflake(ago, next(NUMBERS)), "text": text}
    return made | {"created_at": time.replace("+00:00", "Z")} | more
