"""The command `lastword hold` as a process, as systemd runs it."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fixtures_cli import Lastword

COMMAND = [str(Path(sys.executable).with_name("lastword")), "hold"]


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        path = f"\0lastword-test-{uuid4().hex}"
        listening.bind(path)
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", path.replace("\0", "@"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        monkeypatch.setenv("LASTWORD_HOLD_HEALTH_PORT", "0")
        yield listening


@contextmanager
def _process() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(  # noqa: S603
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_life(ready: Lastword, notified: socket.socket) -> None:
    assert ready("accounts", "edit", "alice", "--publisher", "hold").code == 0
    assert "is not running: start `lastword hold`" in ready("why", "alice").out
    (finding,) = [
        one for one in json.loads(ready("doctor", "--json").out) if one["about"] == "holder"
    ]
    assert finding["level"] == "trouble"
    assert finding["text"] == "is not running: start `lastword hold`, for 1 account needs it"

    with _process() as process:
        assert process.stdout
        first = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/ready", first)
        assert url, first
        heard = {notified.recv(100) for _ in range(2)}
        assert heard == {b"READY=1", b"WATCHDOG=1"}
        with urllib.request.urlopen(url[0], timeout=10) as answer:  # noqa: S310
            assert json.load(answer)["ready"] is True
        assert "has no session" in ready("why", "alice").out

        other = ready("hold")
        assert (other.code, other.out) == (1, "")
        assert re.fullmatch(
            r"lastword: another holder is at work on this database since .+ UTC"
            rf" \(process {process.pid}\): one is enough, end it first\n",
            other.err,
        )

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert out.endswith("Leaving …\nStopped.\n")
        assert err == ""
        assert process.returncode == 0
    assert "is not running" in ready("why", "alice").out


def test_a_port_that_is_taken(ready: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("LASTWORD_HOLD_HEALTH_PORT", str(port))
        ended = ready("hold")
    assert (ended.code, ended.out) == (2, "")
    assert f"nothing can answer for health at 127.0.0.1, port {port} (" in ended.err
    assert "LASTWORD_HOLD_HEALTH_PORT" in ended.err
