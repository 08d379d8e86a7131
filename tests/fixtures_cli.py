"""The command `lastword` for tests: in this process, as a process, and at a terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import run_command

FEED = "feed:https://blog.example/feed"
_PROMPT = re.compile(r"(?:assword of \S+: |\[y/N\] )$")
ALICE = ("accounts", "add", "alice", FEED, "alice@chat.example", "--unseen")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Lastword = Callable[..., Ended]
Terminal = Callable[[tuple[str, ...], str | None], Ended]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of commands, not made yet."""
    for name in [name for name in os.environ if name.startswith("LASTWORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTWORD_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def lastword(data: Path, capsys: pytest.CaptureFixture[str]) -> Lastword:
    """The command, in this process."""
    del data

    def run(*arguments: str) -> Ended:
        code = run_command(arguments)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def ready(lastword: Lastword, monkeypatch: pytest.MonkeyPatch) -> Lastword:
    """The command, set up, with one account."""
    monkeypatch.setenv("LASTWORD_PASSWORD", "sesame")
    assert lastword("init").code == 0
    assert lastword(*ALICE).code == 0
    return lastword


def run_process(*arguments: str, stdin: str = "", **environment: str) -> Ended:
    """Run the real command."""
    ended = subprocess.run(  # noqa: S603
        [Path(sys.executable).with_name("lastword"), *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        input=stdin,
        env=os.environ | environment,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def assert_refused(ended: Ended, *words: str) -> None:
    """Assert one line on stderr that says these words, nothing on stdout, and exit code 2."""
    assert ended.out == ""
    assert ended.err.startswith("lastword: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err
    assert ended.code == 2


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """The real command at a terminal: what is typed once it has asked; None is Ctrl-C."""
    ours, theirs = pty.openpty()

    def run(arguments: tuple[str, ...], typed: str | None) -> Ended:
        with subprocess.Popen(  # noqa: S603
            [Path(sys.executable).with_name("lastword"), *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,  # no controlling terminal: getpass takes stdin
        ) as process:
            assert process.stderr
            asked = ""
            while not _PROMPT.search(asked) and (letter := process.stderr.read(1)):
                asked += letter
            if typed is None:
                process.send_signal(signal.SIGINT)
            else:
                os.write(ours, typed.encode())
            out, err = process.communicate()
        return Ended(process.returncode, out, asked + err)

    yield run
    os.close(ours)
    os.close(theirs)
