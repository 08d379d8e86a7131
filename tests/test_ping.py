"""The ping outside: what it says, and that it never costs a run anything."""

import logging
from collections.abc import AsyncIterator

import anyio
import pytest
from pydantic import SecretStr, ValidationError

from demo.receiver import Receiver, receiving
from lastword.ping import Ping, is_safe
from lastword.settings import Settings


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_start_success_and_failure(receiver: Receiver) -> None:
    def run() -> None:
        ping = Ping(SecretStr(receiver.switch + "/"))
        ping.started()
        ping.succeeded("2 Published")
        ping.failed("the disk is full")

    await anyio.to_thread.run_sync(run)
    assert receiver.pings == ["/start", "", "/fail"]


async def test_trouble_is_logged_without_the_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def run() -> None:
        Ping(None).started()
        Ping(SecretStr("http://127.0.0.1:9/SECRET")).succeeded("")
        Ping(SecretStr(receiver.webhook + "/SECRET")).succeeded("")

    with caplog.at_level(logging.WARNING, "lastword.ping"):
        await anyio.to_thread.run_sync(run)
    assert [record.getMessage() for record in caplog.records] == [
        "LASTWORD_PING_URL was not reached: ConnectError ",
        "LASTWORD_PING_URL was not reached: HTTPStatusError 404",
    ]
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://hc.example/uuid", True),
        ("http://127.0.0.1:8000/uuid", True),
        ("http://localhost/uuid", True),
        ("http://[::1]/uuid", True),
        ("http://hc.example/uuid", False),
        ("http://127.0.0.1.evil.example/", False),
        ("ftp://127.0.0.1/", False),
        ("https://", False),
        ("http://[", False),
        ("uuid", False),
    ],
)
def test_who_may_be_told(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


def test_an_address_that_others_can_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_PING_URL", "http://hc.example/uuid")
    with pytest.raises(ValidationError, match="must be https, or on this machine"):
        Settings()
