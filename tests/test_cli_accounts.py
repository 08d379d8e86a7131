"""The account commands: what they print and change, and that no secret is told."""

import json
import sqlite3
from pathlib import Path

from tests.fixtures_cli import FEED, Ended, Lastword, assert_refused, run_process


def test_nobody_to_ask_before_removing(ready: Lastword) -> None:
    del ready
    assert_refused(run_process("accounts", "remove", "alice"), "nobody is there to ask: add --yes")


def test_remove(ready: Lastword) -> None:
    dry = ready("accounts", "remove", "alice", "--dry-run")
    assert (dry.code, "Would remove alice (" in dry.err) == (0, True)
    assert "Removed alice" in ready("accounts", "remove", "alice", "--yes").err
    assert_refused(ready("accounts", "remove", "alice", "--yes"), "there is no account 'alice'")


def test_list_and_show_never_tell_a_secret(ready: Lastword, data: Path) -> None:
    with sqlite3.connect(data / "lastword.db") as database:
        ((secret,),) = database.execute("SELECT secret FROM account")
    database.close()
    for arguments in (("list",), ("show", "alice"), ("export",)):
        for more in ((), ("--json",) if arguments != ("export",) else ("--format", "json")):
            ended = ready("accounts", *arguments, *more)
            assert ended.code == 0
            assert "alice@chat.example" in ended.out
            assert secret not in ended.out
            assert "sesame" not in ended.out


def test_list_is_whole_where_it_goes_to_a_file(ready: Lastword) -> None:
    long = f"feed:https://blog.example/{'x' * 200}"
    ready("accounts", "add", "bob", long, "bob@chat.example")
    assert long in ready("accounts", "list").out


def test_list_by_health(ready: Lastword) -> None:
    assert "alice" in ready("accounts", "list", "--health", "ok").out
    for spelling in ("needs-owner", "needs_owner"):
        ended = ready("accounts", "list", "--health", spelling)
        assert ended == Ended(0, "", "No accounts of this health\n")


def test_show_as_json(ready: Lastword) -> None:
    shown = json.loads(ready("accounts", "show", "alice", "--json").out)
    assert shown["password_set"] is True
    assert shown["health"] == "ok"
    assert shown["created_at"].endswith("+00:00")
    assert "T" in shown["created_at"]


def test_a_terminal_is_not_obeyed(ready: Lastword, data: Path) -> None:
    with sqlite3.connect(data / "lastword.db") as database:
        database.execute("UPDATE account SET last_reason = '\x1b[31mred [bold]'")
    database.close()
    shown = ready("accounts", "show", "alice").out
    assert "\x1b" not in shown
    assert "[31mred [bold]" in shown


def test_edit_pause_resume(ready: Lastword) -> None:
    assert ready("accounts", "edit", "alice", "--rename", "alicia", "--template", "{url}").code == 0
    assert ready("accounts", "pause", "alicia").err == "Paused alicia\n"
    assert "paused" in ready("accounts", "list").out
    assert ready("accounts", "resume", "alicia").err == "Resumed alicia\n"
    shown = json.loads(ready("accounts", "show", "alicia", "--json").out)
    assert (shown["template"], shown["active"]) == ("{url}", True)


def test_edit_to_another_server(ready: Lastword) -> None:
    edit = ("accounts", "edit", "alice", "--jid", "alice@new.example")
    assert_refused(ready(*edit), "give the one for new.example with it: add --password")
    assert ready(*edit, "--password").code == 0


def test_import_tells_every_problem_and_imports_nothing(ready: Lastword) -> None:
    Path("people.csv").write_text(
        f"name,source,jid\nbob,{FEED},bob@chat.example\nalice,nothing,{FEED}\n"
    )
    ended = ready("accounts", "import", "people.csv")
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert lines[0].startswith("lastword: people.csv, line 3, column source: a source address is")
    assert lines[1].startswith("lastword: people.csv, line 3, column jid: ")
    assert lines[2:] == ["lastword: 2 problems: nothing was imported"]
    assert "bob" not in ready("accounts", "list").out


def test_import_an_unreadable_row(ready: Lastword) -> None:
    Path("people.csv").write_text(f"name,source,jid\nbob,{FEED},bob\n")
    assert_refused(
        ready("accounts", "import", "people.csv"),
        "people.csv, line 2, column jid: 'bob' is not a JID",
        "(nothing was imported)",
    )


def test_import_and_export(ready: Lastword, data: Path) -> None:
    Path("people.csv").write_text(
        f"name,source,jid,password\nbob,{FEED},bob@chat.example,\ncy,{FEED},cy@chat.example,x\n"
    )
    dry = ready("accounts", "import", "people.csv", "--dry-run")
    assert "Would import: 2 added, 0 changed, 0 as before" in dry.err
    done = ready("accounts", "import", "people.csv")
    assert "Imported: 2 added, 0 changed, 0 as before" in done.err
    assert "Without a password yet: bob" in done.err
    assert ready("accounts", "export", "--output", "out.json", "--format", "json").code == 0
    again = ready("accounts", "import", "out.json", "--update")
    assert "0 added, 0 changed, 3 as before" in again.err
    assert_refused(
        ready("accounts", "export", "--output", str(data / "no" / "where")), "cannot be written"
    )


def test_resume_does_not_try_a_refused_password_again(ready: Lastword, data: Path) -> None:
    with sqlite3.connect(data / "lastword.db") as database:
        database.execute("UPDATE account SET health = 'needs_owner', last_error = 'LoginRefused'")
    database.close()
    assert (
        "still waits for its owner: see `lastword why alice`"
        in ready("accounts", "resume", "alice").err
    )
    assert json.loads(ready("accounts", "show", "alice", "--json").out)["health"] == "needs_owner"
    ready("accounts", "edit", "alice", "--password")
    assert json.loads(ready("accounts", "show", "alice", "--json").out)["health"] == "ok"
