"""Who can reach Prefect's server, asked at real sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deployments import exposure as exposed
from deployments.exposure import exposure

ELSEWHERE = "127.0.0.2"
"""Answers where a server listens on all addresses, and not where it listens on 127.0.0.1 only."""


@contextmanager
def prefect(host: str, status: int) -> Iterator[int]:
    """A server that lets everybody in, or nobody; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("host", "status", "is_told"), [
    ("127.0.0.1", 200, False), ("0.0.0.0", 200, True), ("0.0.0.0", 401, False),  # noqa: S104
])  # fmt: skip
async def test_open_is_told(
    host: str, status: int, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposed, "_addresses", lambda: [ELSEWHERE])
    with prefect(host, status) as port:
        found = await exposure(f"http://127.0.0.1:{port}/api")
    assert bool(found) is is_told
    for text in found:
        assert f"whoever can reach {ELSEWHERE}, port {port}," in text
        assert "PREFECT_SERVER_API_AUTH_STRING" in text


async def test_a_password_in_plain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:sesame")
    (text,) = await exposure("http://prefect.invalid/api")
    assert text == "the password for prefect.invalid travels unencrypted: put it behind https"
    assert await exposure("https://prefect.invalid/api") == []


def test_our_addresses_are_not_loopback() -> None:
    assert not [it for it in exposed._addresses() if it.startswith("127.") or it == "::1"]
