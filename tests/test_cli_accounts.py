"""The account commands: what they print and change, and that no secret is told."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures_cli import FEED, Ended, Lastword, Terminal, assert_refused, run_process
from tests.fixtures_http import Serve, Server, head, once, respond, silence

HELLO = (
    b"<rss version='2.0'><channel><item><title>Off to the sea &#x202e; &#x9b;31m for a week</title>"
    b"<link>https://blog.example/1</link></item></channel></rss>"
)


apart = asyncio.to_thread  # a command has an event loop of its own


def add(server: Server, *more: str) -> tuple[str, ...]:
    return ("accounts", "add", "bob", server.url, "bob@chat.example", *more)


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[Server], None]:
    def set_(server: Server) -> None:
        monkeypatch.setenv("LASTWORD_ALLOW_HOSTS", json.dumps([server.host]))

    return set_


async def test_add_shows_what_was_understood_and_the_newest_post(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    server = await serve(once(respond(HELLO)))
    allow(server)
    ended = await apart(ready, *add(server))
    assert ended == Ended(
        0,
        "",
        f"Source: feed:{server.url}\n"
        "Status: Off to the sea 31m for a week\n"
        "Posted: https://blog.example/1\n"
        f"Added bob: feed:{server.url} → bob@chat.example, due at the next run\n",
    )
    listed = json.loads((await apart(ready, "accounts", "list", "--json")).out)
    assert [one["source"] for one in listed] == [FEED, f"feed:{server.url}"]


async def test_add_from_a_page(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = b"<link rel=alternate type=application/rss+xml href=/posts>"
        while True:
            is_feed = (await head(reader)).startswith("GET /posts ")
            writer.write(respond(HELLO) if is_feed else respond(link, "Content-Type: text/html"))

    server = await serve(answer)
    allow(server)
    ended = await apart(ready, *add(server, "--template", "On my blog: {text}"))
    assert f"Feed: http://{server.host}/posts\nStatus: On my blog: Off to the sea" in ended.err
    listed = json.loads((await apart(ready, "accounts", "show", "bob", "--json")).out)
    assert listed["source"] == f"feed:{server.url}", "the page: its feed may move"


async def test_add_says_why_there_is_no_status_yet(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    server = await serve(once(respond(HELLO)))
    allow(server)
    ended = await apart(ready, *add(server, "--only", "mountains"))
    assert ended.code == 0
    why = "no eligible post: the newest has none of the words asked for"
    assert f"Status: none for now: {why}\nAdded bob" in ended.err


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (respond(status="404 Not Found"), "answers 404 Not Found"),
        (respond(b"<p>Hi", "Content-Type: text/html"), "is no feed and announces none: give the"),
    ],
)
async def test_a_source_without_posts_for_us_is_not_saved(
    ready: Lastword,
    serve: Serve,
    allow: Callable[[Server], None],
    answer: bytes,
    why: str,
) -> None:
    server = await serve(once(answer))
    allow(server)
    ended = await apart(ready, *add(server))
    source, refusal = ended.err.splitlines()
    assert source == f"Source: feed:{server.url}"
    assert refusal.startswith("lastword: 127.0.0.1")
    assert why in refusal
    assert refusal.endswith("(nothing was saved; --unseen saves it all the same)")
    assert (ended.code, ended.out) == (2, "")
    assert_refused(await apart(ready, "accounts", "show", "bob"), "there is no account 'bob'")

    asked = server.connections
    unseen = await apart(ready, *add(server, "--unseen"))
    assert unseen.code == 0
    assert unseen.err.startswith("Added bob")
    assert server.connections == asked


async def test_a_server_that_is_down_stops_nobody(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    server = await serve(once(respond(status="503 Service Unavailable")))
    allow(server)
    ended = await apart(ready, *add(server))
    said = f"Status: not known yet: {server.host} answers 503 Service Unavailable"
    assert ended.err.splitlines()[1:2] == [said]
    assert "Added bob" in ended.err
    assert ended.code == 0


async def test_the_password_is_asked_for_after_the_post_was_shown(
    lastword: Lastword, serve: Serve, allow: Callable[[Server], None], terminal: Terminal
) -> None:
    server = await serve(once(respond(HELLO)))
    allow(server)
    await apart(lastword, "init")
    ended = await apart(terminal, add(server), "sesame\n")
    assert ended.err.index("Off to the sea") < ended.err.index("Password of bob@chat.example: ")
    assert ended.code == 0
    server = await serve(once(respond(status="410 Gone")))
    allow(server)
    gone = ("accounts", "add", "cy", server.url, "cy@chat.example")
    ended = await apart(run_process, *gone)
    assert "410 Gone" in ended.err
    assert "assword" not in ended.err


async def test_nothing_is_fetched_where_the_rest_is_wrong(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    server = await serve(silence)
    allow(server)
    taken = ("accounts", "add", "alice", server.url, "bob@chat.example")
    assert_refused(await apart(ready, *taken), "there is an account 'alice' already")
    for wrong in (("--template", "{}"), ("--publisher", "x"), ("--max-age", "x")):
        assert_refused(await apart(ready, *add(server, *wrong)))
    assert server.connections == 0


async def test_edit_shows_the_new_source(
    ready: Lastword, serve: Serve, allow: Callable[[Server], None]
) -> None:
    server = await serve(once(respond(HELLO)))
    allow(server)
    edit = ("accounts", "edit", "alice", "--length", "7", "--source")
    ended = await apart(ready, *edit, server.url)
    assert f"Source: feed:{server.url}\nStatus: Off to…\n" in ended.err
    assert ended.err.endswith(f"Changed alice: feed:{server.url} → alice@chat.example\n")

    gone = await serve(once(respond(status="404 Not Found")))
    allow(gone)
    ended = await apart(ready, *edit, gone.url)
    assert (ended.code, "nothing was saved" in ended.err) == (2, True)
    assert json.loads((await apart(ready, "accounts", "show", "alice", "--json")).out)[
        "source"
    ] == (f"feed:{server.url}")
    ended = await apart(ready, *edit, "@alice@social.example", "--unseen")
    assert ended.err == "Changed alice: mastodon:alice@social.example → alice@chat.example\n"
    shown = json.loads((await apart(ready, "accounts", "show", "alice", "--json")).out)
    assert shown["source"] == "mastodon:alice@social.example"


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("alice", "a source address is kind:handle, like mastodon:alice@social.example"),
        ("mastadon:alice@social.example", "did you mean 'mastodon'?"),
        ("https://blog.example/\x1b[31m", "a source address is"),
        ("mastodon:alice", "a Mastodon address is user@server"),
    ],
)
def test_what_nobody_understands(ready: Lastword, pasted: str, words: str) -> None:
    assert_refused(ready("accounts", "add", "bob", pasted, "bob@chat.example"), words)
    assert_refused(ready("accounts", "edit", "alice", "--source", pasted), words)


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
    ready("accounts", "add", "bob", long, "bob@chat.example", "--unseen")
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
