"""Rows in a file: read from CSV and JSON, with every problem placed."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from lastword import rows
from lastword.rows import Format
from lastword.usage import UsageError
from models import Account

FEED = "feed:https://blog.example/feed"
HEADER = "name,source,jid,publisher,template,active,password\n"


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
        (f'[{{"length": {"9" * 5_000}}}]', "people.json: a number in it is too long"),
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
    assert row.password == SecretStr(" sesame "), "taken as it stands"
    assert "sesame" not in repr(row)


def test_one_problem_is_one_line(file: Path) -> None:
    lines = _problems(file, "name,source,jid\na\n")
    assert lines == ["people.csv, line 2: 1 cells under 3 columns (nothing was imported)"]
    lines = _problems(file, "name,source,jid\na\nb\n")
    assert lines[-1] == "2 problems: nothing was imported"
    assert len(lines) == 3


def test_exported_json_is_a_list_of_objects() -> None:
    account = Account(name="a", source=FEED, jid="a@b.example", secret="v1.x.y")
    (item,) = json.loads(rows.write([account], Format.JSON))
    assert item == {
        "name": "a",
        "source": FEED,
        "jid": "a@b.example",
        "publisher": "login",
        "template": "{text}",
        "length": 200,
        "mentions": "keep",
        "hashtags": "keep",
        "max_age": "default",
        "expires_after": "never",
        "only": "",
        "never": "",
        "pep": "default",
        "active": True,
    }
