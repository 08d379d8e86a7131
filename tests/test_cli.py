"""The real command, as a process: nothing around it spoils what it says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures_cli import ALICE, FEED, Ended, Lastword, assert_refused, run_process


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no command given: start with `lastword init`, or see `lastword --help`"),
        (("account",), "there is no command 'account': did you mean 'accounts'?"),
        (("accounts", "list"), "there is no database at"),
        (("accounts", "add", "alice", "alice", "a@b.example"), "a source address is kind:handle"),
        (("accounts", "add", "alice", FEED, "alice"), "a JID looks like alice@chat.example"),
        (("accounts", "import", "nowhere.csv"), "nowhere.csv cannot be read: No such file"),
    ],
)
def test_process_refuses_in_one_line(data: Path, arguments: tuple[str, ...], words: str) -> None:
    assert_refused(run_process(*arguments), words)
    assert not data.exists(), "nothing was made on the way"


def test_process_from_init_to_list(data: Path) -> None:
    assert run_process("init").code == 0
    added = run_process(*ALICE, "--password-stdin", stdin="sesame\n")
    assert (added.code, added.out) == (0, "")
    assert "Added alice" in added.err
    listed = run_process("accounts", "list", "--json")
    assert [account["name"] for account in json.loads(listed.out)] == ["alice"]
    assert "sesame" not in listed.out
    assert data.stat().st_mode & 0o777 == 0o700


def test_process_without_any_reader_ends_quietly(ready: Lastword) -> None:
    del ready
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as pipe:
        ended = subprocess.run(  # noqa: S603
            [Path(sys.executable).with_name("lastword"), "accounts", "list"],
            check=False,
            stdout=pipe,
            stderr=subprocess.PIPE,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_help_is_quick_and_imports_little() -> None:
    code = (
        "import sys; from cli.main import run_command; run_command(['--help']);"
        "sys.exit(','.join({'prefect', 'sqlalchemy', 'slixmpp', 'httpx'} & set(sys.modules)))"
    )
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=False, capture_output=True, encoding="utf-8"
    )
    assert ended.stderr == "\n"
    for command in ("init", "accounts", "run", "up", "why", "doctor"):
        assert f" {command} " in ended.stdout


def test_account_commands_do_not_import_prefect(ready: Lastword) -> None:
    del ready
    code = (
        "import sys; from cli.main import run_command; run_command(['accounts', 'list']);"
        "sys.exit('prefect' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_the_terminal_is_asked_for_the_password(
    lastword: Lastword, terminal: Callable[..., Ended]
) -> None:
    lastword("init")
    ended = terminal(ALICE, "sesame\n")
    assert ended.code == 0
    assert "Password of alice@chat.example: " in ended.err
    assert "sesame" not in ended.err + ended.out
    assert json.loads(lastword("accounts", "show", "alice", "--json").out)["password_set"]


def test_no_password_at_the_terminal(lastword: Lastword, terminal: Callable[..., Ended]) -> None:
    lastword("init")
    ended = terminal(ALICE, "\n")
    assert ended.code == 2
    assert "lastword: the password is empty" in ended.err
    assert "alice" not in lastword("accounts", "list").out


@pytest.mark.parametrize("arguments", [ALICE, ("accounts", "remove", "bob")], ids=lambda it: it[1])
def test_ctrl_c_ends_a_prompt_at_once(
    ready: Lastword,
    terminal: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    ready("accounts", "edit", "alice", "--rename", "bob")
    monkeypatch.delenv("LASTWORD_PASSWORD")
    ended = terminal(arguments, None)
    assert ended.code == 130
    assert ended.err.splitlines()[-1].endswith("lastword: interrupted")
    assert "Traceback" not in ended.err
    assert "bob" in ready("accounts", "list").out


@pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 0), ("\n", 1, 1), ("no\n", 1, 1)])
def test_the_terminal_is_asked_before_removing(
    ready: Lastword, terminal: Callable[..., Ended], typed: str, code: int, left: int
) -> None:
    ended = terminal(("accounts", "remove", "alice"), typed)
    assert ended.code == code
    assert "Remove alice (" in ended.err
    assert len(json.loads(ready("accounts", "list", "--json").out)) == left


def test_several_inits_at_once(data: Path) -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("lastword"), "init"]
    processes = [
        subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")  # noqa: S603
        for _ in range(4)
    ]
    told = "".join(process.communicate()[1] for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0, 0], told
    assert told.count("lastword.db: created") == told.count("key: created") == 1
    assert {path.name for path in data.iterdir()} <= {"key", "lastword.db"}
    added = run_process(*ALICE, "--password-stdin", stdin="sesame")
    assert added.code == 0, "the key is the database's own"
