"""Importing: every problem is placed, nothing is half-imported, and exports come back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from lastword import accounts, rows
from lastword.importing import Imported, import_rows
from lastword.rows import Format, ImportTrouble
from lastword.secrets import Keyring
from lastword.usage import UsageError
from lastword.wiring import Wiring
from models import Account, Health
from models.database import Database

FEED = "feed:https://blog.example/feed"
HEADER = "name,source,jid,publisher,template,active,password\n"

Import = Callable[..., "list[str]"]


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(bytes(32))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("people.csv")


def _problems(file: Path, content: str | bytes) -> list[str]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as told:
        rows.read(file)
    return told.value.lines


def _rows(file: Path, content: str) -> list[rows.Row]:
    file.write_text(content)
    return rows.read(file)


async def _refused(database: Database, given: list[rows.Row], *, update: bool = False) -> list[str]:
    before = await accounts.list_accounts(database)
    with pytest.raises(ImportTrouble) as told:
        await import_rows(database, given, update=update)
    assert await accounts.list_accounts(database) == before, "nothing was half-imported"
    return [str(problem) for problem in told.value.problems]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "people.csv is empty: its first line names the columns, name,source,jid"),
        ("\n \n", "people.csv is empty"),
        ("name;source;jid\n", "people.csv, line 1: no column name, source, jid"),
        ("name,jid\n", "people.csv, line 1: no column source: the columns are name,source,jid"),
        ("name,source,jid,colour\n", "people.csv, line 1, column colour: unknown"),
        ("name,source,jid,jid\n", "people.csv, line 1, column jid: twice in the header"),
        ("name,source,jid\na,b\n", "people.csv, line 2: 2 cells under 3 columns"),
        ('name,source,jid\n\n"a\nb",c\n', "people.csv, line 3: 2 cells under 3 columns"),
        ('name,source,jid\na,"b,c\n', "people.csv, line 2: no CSV: unexpected end of data"),
        (b"name,source,jid\nd\xe9,b,c\n", "people.csv, line 2: not in UTF-8: save the file as"),
        ("name,source,jid\n".encode("utf-16"), "people.csv, line 1: not in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_told_in_one_line(
    file: Path, content: str | bytes, line: str
) -> None:
    (only,) = _problems(file, content)
    assert only.startswith(line)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{}", "people.json: no list: it is [{…}, {…}]"),
        ('[{"name": ', "people.json, line 1, character 11: no JSON"),
        ("[\n{]", "people.json, line 2, character 2: no JSON"),
        ("[5]", 'people.json, item 1: no account: it is {"name": …, "source": …, …}'),
        ('[{"name": 5}]', "people.json, item 1, column name: not a text"),
        ('[{"colour": "red"}]', "people.json, item 1, column colour: unknown"),
        ("[" * 100_000, "people.json: no list of accounts"),
    ],
)
def test_json_that_is_no_list_is_told_in_one_line(file: Path, content: str, line: str) -> None:
    (only,) = _problems(file.with_suffix(".json"), content)
    assert only.startswith(line)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        rows.read(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        rows.read(tmp_path)


def test_what_spreadsheets_write_is_read(file: Path) -> None:
    (row,) = _rows(file, '\ufeffName, Source ,JID,active\r\n\r\n"a",  x:a ,a@b.example,\r\n,,,\r\n')
    assert row.cells == {"name": "a", "source": "x:a", "jid": "a@b.example"}
    assert row.place == "people.csv, line 3"


def test_a_row_does_not_show_its_password(file: Path) -> None:
    (row,) = _rows(file, f"{HEADER}a,{FEED},a@b.example,,,, sesame \n")
    assert row.cells["password"] == " sesame ", "taken as it stands"
    assert "sesame" not in repr(row)


async def test_all_rows_are_imported(database: Database, file: Path, keyring: Keyring) -> None:
    content = f"{HEADER}a,{FEED},A@b.example,login,{{url}},no,sesame\nb,{FEED},b@b.example,,,,\n"
    done = await import_rows(database, _rows(file, content), keyring=keyring)
    assert done == Imported(added=["a", "b"], without_password=["b"])
    a, b = await accounts.list_accounts(database)
    assert Wiring.of(a) == Wiring("a", FEED, "a@b.example", template="{url}", active=False)
    assert Wiring.of(b) == Wiring("b", FEED, "b@b.example")
    assert keyring.open_password(a) == "sesame"
    assert b.secret is None


async def test_all_problems_are_told_in_order_and_nothing_is_imported(
    database: Database, file: Path
) -> None:
    await accounts.add(database, Wiring("old", FEED, "old@b.example"))
    content = (
        f"{HEADER}good,{FEED},good@b.example,,,,\n"
        "b,mastadon:b,b,logn,{txt},perhaps,\n"
        f"old,{FEED},x@b.example,,,,\n"
        f",{FEED},b@b.example,,,,\n"
        f"good,{FEED},good@b.example,,,,\n"
    )
    told = await _refused(database, _rows(file, content))
    places = [problem.partition(": ")[0] for problem in told]
    assert places == [
        "people.csv, line 3, column source",
        "people.csv, line 3, column jid",
        "people.csv, line 3, column publisher",
        "people.csv, line 3, column template",
        "people.csv, line 3, column active",
        "people.csv, line 4, column name",
        "people.csv, line 5, column name",
        "people.csv, line 6, column name",
    ]
    assert told[5].endswith("there is an account 'old' already: --update changes it")
    assert told[7].endswith("'good' stands in people.csv, line 2 already")


def test_one_problem_is_one_line(file: Path) -> None:
    lines = _problems(file, "name,source,jid\na\n")
    assert lines == ["people.csv, line 2: 1 cells under 3 columns (nothing was imported)"]
    lines = _problems(file, "name,source,jid\na\nb\n")
    assert lines[-1] == "2 problems: nothing was imported"
    assert len(lines) == 3


async def test_update_changes_what_is_said_and_keeps_the_rest(
    database: Database, file: Path, keyring: Keyring
) -> None:
    wiring = Wiring("a", FEED, "a@b.example", template="{url}", active=False)
    await accounts.add(database, wiring, password=SecretStr("sesame"), keyring=keyring)
    content = f"{HEADER}a,feed:https://new.example/f,a@b.example,,,,\nc,{FEED},c@b.example,,,,\n"
    done = await import_rows(database, _rows(file, content), keyring=keyring, update=True)
    assert done == Imported(added=["c"], updated=["a"], without_password=["c"])
    account = await accounts.find(database, "a")
    assert account.source == "feed:https://new.example/f"
    assert (account.template, account.active) == ("{url}", False)
    assert keyring.open_password(account) == "sesame"


async def test_update_to_another_server_asks_for_its_password(
    database: Database, file: Path, keyring: Keyring
) -> None:
    wiring = Wiring("a", FEED, "a@b.example")
    await accounts.add(database, wiring, password=SecretStr("sesame"), keyring=keyring)
    given = _rows(file, f"{HEADER}a,{FEED},a@new.example,,,,\n")
    (told,) = await _refused(database, given, update=True)
    assert told.startswith("people.csv, line 2, column password: the saved password is for b.exam")
    given = _rows(file, f"{HEADER}a,{FEED},a@new.example,,,,new\n")
    await import_rows(database, given, keyring=keyring, update=True)
    assert keyring.open_password(await accounts.find(database, "a")) == "new"


async def test_a_dry_run_checks_and_changes_nothing(
    database: Database, file: Path, keyring: Keyring
) -> None:
    await accounts.add(database, Wiring("a", FEED, "a@b.example"))
    content = f"{HEADER}a,feed:https://new.example/f,a@b.example,,,,\nc,{FEED},c@b.example,,,,x\n"
    given = _rows(file, content)
    before = await accounts.list_accounts(database)
    done = await import_rows(database, given, keyring=keyring, update=True, dry_run=True)
    assert done == Imported(added=["c"], updated=["a"], without_password=["a"])
    assert await accounts.list_accounts(database) == before


@pytest.mark.parametrize("format_", Format)
async def test_an_export_comes_back_unchanged(
    database: Database, file: Path, keyring: Keyring, format_: Format
) -> None:
    odd = Wiring("é", FEED, "юля@b.example", template='"{text}", {url}', active=False)
    await accounts.add(database, odd, password=SecretStr("sesame"), keyring=keyring)
    await accounts.add(database, Wiring("b", FEED, "b@b.example"))
    listed = await accounts.list_accounts(database)
    text = rows.write(listed, format_)
    assert "sesame" not in text
    assert all(account.secret not in text for account in listed if account.secret)
    file.write_text(text)
    given = rows.read(file, format_)
    done = await import_rows(database, given, update=True)
    assert sorted(done.unchanged) == ["b", "é"]
    for account in listed:
        await accounts.remove(database, account.name)
    await import_rows(database, given)
    again = await accounts.list_accounts(database)
    assert list(map(Wiring.of, again)) == list(map(Wiring.of, listed))


def test_exported_json_is_a_list_of_objects() -> None:
    account = Account(name="a", source=FEED, jid="a@b.example", secret="v1.x.y")
    (item,) = json.loads(rows.write([account], Format.JSON))
    assert item == {
        "name": "a",
        "source": FEED,
        "jid": "a@b.example",
        "publisher": "login",
        "template": "{text}",
        "active": True,
    }


async def test_an_update_ends_the_quarantine_only_where_the_wiring_changed(
    database: Database, file: Path
) -> None:
    for name in ("a", "b"):
        account = await accounts.add(database, Wiring(name, FEED, "a@b.example"))
        async with database.session() as session, session.begin():
            session.add(account)
            account.health = Health.NEEDS_OWNER
    content = f"name,source,jid\na,{FEED},a@b.example\nb,{FEED},new@b.example\n"
    await import_rows(database, _rows(file, content), update=True)
    health = [account.health for account in await accounts.list_accounts(database)]
    assert health == [Health.NEEDS_OWNER, Health.OK]


async def test_a_thousand_rows(database: Database, file: Path, keyring: Keyring) -> None:
    lines = "".join(f"a{number},{FEED},a{number}@b.example,,,,x\n" for number in range(1000))
    done = await import_rows(database, _rows(file, HEADER + lines), keyring=keyring)
    assert len(done.added) == 1000
    listed = await accounts.list_accounts(database)
    assert {keyring.open_password(account) for account in listed} == {"x"}
