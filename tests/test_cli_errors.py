"""Setting up, and one calm line for every expected error."""

import sqlite3
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.fixtures_cli import ALICE, FEED, Ended, Lastword, assert_refused, run_process


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("xyz",), "there is no command 'xyz': see `lastword --help`"),
        (("accounts", "lst"), "there is no command 'lst': did you mean 'list'?"),
        (("--nope",), "'--nope'"),
        (("accounts", "add"), "See `lastword accounts add --help`."),
        (("accounts", "list", "--health", "bad"), 'Choose from: "ok", "failing", "needs-owner"'),
        ((*ALICE, "--tmplate", "x"), "Did you mean --template?"),
        ((*ALICE, "--template", "{txt}"), "it takes {text}, {url}, {source}"),
        ((*ALICE, "--publisher", "x"), "there is no publisher 'x'"),
        ((*ALICE, "extra"), "'extra'"),
        (("accounts", "edit", "alice"), "nothing to change"),
        (("accounts", "edit", "alice", "--jid", "x"), "a JID looks like"),
    ],
)
def test_asked_wrongly(lastword: Lastword, arguments: tuple[str, ...], words: str) -> None:
    assert_refused(lastword(*arguments), words)


def test_version(lastword: Lastword) -> None:
    assert lastword("--version") == Ended(0, f"{version('lastword')}\n", "")


def test_init_says_what_it_did_and_can_be_repeated(lastword: Lastword, data: Path) -> None:
    first = lastword("init")
    assert (first.code, first.out) == (0, "")
    assert f"Database {data}/lastword.db: created" in first.err
    assert f"Key {data}/key: created; keep a copy" in first.err
    key = (data / "key").read_bytes()
    again = lastword("init")
    assert again.code == 0
    assert f"Database {data}/lastword.db: up to date" in again.err
    assert f"Key {data}/key: in place" in again.err
    assert (data / "key").read_bytes() == key
    modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}
    assert modes == {"data": 0o700, "key": 0o600, "lastword.db": 0o600}


def test_init_with_the_key_in_the_environment_makes_no_file(
    lastword: Lastword, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_KEY", "A" * 43 + "=")
    assert "Key LASTWORD_KEY: in place" in lastword("init").err
    assert not (data / "key").exists()


def test_init_on_postgresql(
    lastword: Lastword, data: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("LASTWORD_PASSWORD", "sesame")
    assert lastword("init").code == 0
    assert lastword(*ALICE).code == 0
    assert "alice@chat.example" in lastword("accounts", "list").out
    assert not (data / "lastword.db").exists()


def test_init_refuses_a_new_key_beside_sealed_passwords(ready: Lastword, data: Path) -> None:
    (data / "key").rename(data / "lost")
    refused = ready("init")
    assert refused.code == 2
    assert "restore that key" in refused.err
    assert not (data / "key").exists()
    (data / "lost").rename(data / "key")
    assert ready("init").code == 0


def test_a_data_directory_that_cannot_be_made(
    lastword: Lastword, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTWORD_DATA_DIR", "/dev/null/x")
    assert_refused(lastword("init"), "cannot be made (Not a directory): set LASTWORD_DATA_DIR")


def test_a_missing_key(ready: Lastword, data: Path) -> None:
    (data / "key").unlink()
    refused = ready("accounts", "add", "bob", FEED, "bob@chat.example")
    assert_refused(refused, f"there is no key at {data}/key: run `lastword init`, or restore")
    assert ready("accounts", "list").code == 0, "what needs no key works without"


def test_a_wrong_key(ready: Lastword, data: Path) -> None:
    (data / "key").write_text("A" * 43 + "=")
    refused = ready("accounts", "add", "bob", FEED, "bob@chat.example")
    assert_refused(refused, "is not the one of this database", "restore the right key")


def test_a_locked_database(ready: Lastword, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_DATABASE_URL", f"sqlite:///{data}/lastword.db?timeout=0.1")
    other = sqlite3.connect(data / "lastword.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert_refused(ready("accounts", "pause", "alice"), "is locked by another process: wait")
    other.close()


@pytest.mark.parametrize("command", [("accounts", "list"), ("init",)])
def test_a_newer_database(ready: Lastword, data: Path, command: tuple[str, ...]) -> None:
    other = sqlite3.connect(data / "lastword.db")
    other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.commit()
    other.close()
    assert_refused(ready(*command), "is at revision 9999", "install the newer version again")


def test_a_file_that_is_no_database(ready: Lastword, data: Path) -> None:
    (data / "lastword.db").write_text("not a database " * 100)
    assert_refused(ready("accounts", "list"), "is not a SQLite database")


def test_a_database_that_is_not_there(lastword: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_DATABASE_URL", "postgresql://u:sesame@/d?host=/nowhere")
    refused = lastword("accounts", "list")
    assert_refused(refused, "PostgreSQL at /nowhere cannot be reached")
    assert "sesame" not in refused.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LASTWORD_LOGINS", "0", "LASTWORD_LOGINS: input should be greater than or equal to 1"),
        ("LASTWORD_XMPP_SERVERS", "{sesame", "LASTWORD_XMPP_SERVERS: it is not valid JSON"),
        ("LASTWORD_DATABASE_URL", "sesame", "the database URL is malformed"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_not_repeated(
    lastword: Lastword, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    refused = lastword("accounts", "list")
    assert_refused(refused, words)
    assert "sesame" not in refused.err


def test_a_duplicate_name(ready: Lastword) -> None:
    assert_refused(ready(*ALICE), "there is an account 'alice' already: choose another name")


def test_no_password_where_nobody_can_be_asked(data: Path) -> None:
    del data
    run_process("init")
    assert_refused(run_process(*ALICE), "no password: give it by --password-stdin, LASTWORD_PASSWO")


def test_a_defect_keeps_its_traceback(lastword: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    lastword("init")
    monkeypatch.setattr("lastword.accounts.list_accounts", None)
    with pytest.raises(TypeError):
        lastword("accounts", "list")
