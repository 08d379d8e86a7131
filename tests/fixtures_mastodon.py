"""mastodon-mock, a server by others, in a process of its own."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from models import Account

_START_SECONDS = 60


class MastodonMock:
    """mastodon-mock, a stateful server by others, with faults on demand.

    https://mastodon-mock.readthedocs.io/
    """

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self.address = f"127.0.0.1:{port}"
        self._client = client

    def wired(self, user: str) -> Account:
        source = f"mastodon:http://{self.address}/@{user}"
        return Account(name=user, source=source, jid=f"{user}@chat.example")

    async def call(
        self,
        method: str,
        path: str,
        user: str = "alice",
        **body: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Call the API as a user; their names are their tokens."""
        response = await self._client.request(
            method,
            f"http://{self.address}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {user}"},
        )
        response.raise_for_status()
        return response.json()

    async def fail(self, effect: str, **more: Any) -> None:  # noqa: ANN401
        """Answer as usual no more: status, ratelimit, latency, malformed or timeout."""
        await self.call("POST", "_mock/faults", effect={"type": effect} | more)

    async def reset(self) -> None:
        await self.call("DELETE", "_mock/faults")


_CONFIG = """
domain = "127.0.0.1"
url_scheme = "http"
[seed]
accounts = [
  { username = "alice", access_token = "alice" },
  { username = "bob", access_token = "bob" },
]
"""


@pytest.fixture(scope="module")
async def mastodon_mock_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """Start mastodon-mock on a free port, which it inherits: nobody can take it meanwhile."""
    place = tmp_path_factory.mktemp("mastodon-mock")
    (place / ".mastodon_mock.toml").write_text(_CONFIG, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener, (place / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "--factory", "mastodon_mock.app:create_app"),
            *("--fd", str(listener.fileno()), "--loop", "asyncio"),
            cwd=place,
            env={name: value for name, value in os.environ.items() if name != "PORT"},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            await process.wait()


@pytest.fixture
async def mastodon_mock(mastodon_mock_process: int) -> AsyncIterator[MastodonMock]:
    """Give mastodon-mock without statuses or faults, for it serves a whole module."""
    async with httpx.AsyncClient(timeout=_START_SECONDS, trust_env=False) as client:
        mock = MastodonMock(mastodon_mock_process, client)
        await mock.reset()
        await mock.call("POST", "_mock/reset")
        yield mock
