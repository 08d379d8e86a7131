"""Importing: every problem is placed, nothing is half-imported, and exports come back."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretBytes, SecretStr

from lastword import accounts, rows
from lastword.importing import Imported, import_rows
from lastword.rows import Format, ImportTrouble
from lastword.secrets import Keyring
from lastword.wiring import Wiring
from models import Health
from models.database import Database

FEED = "feed:https://blog.example/feed"
HEADER = "name,source,jid,publisher,template,active,password\n"

Import = Callable[..., "list[str]"]


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(SecretBytes(bytes(32)))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("people.csv")


def _rows(file: Path, content: str) -> list[rows.Row]:
    file.write_text(content)
    return rows.read(file)


async def _refused(database: Database, given: list[rows.Row], *, update: bool = False) -> list[str]:
    before = await accounts.list_accounts(database)
    with pytest.raises(ImportTrouble) as told:
        await import_rows(database, given, update=update)
    assert await accounts.list_accounts(database) == before, "nothing was half-imported"
    return [str(problem) for problem in told.value.problems]


async def test_all_rows_are_imported(database: Database, file: Path, keyring: Keyring) -> None:
    content = f"{HEADER}a,{FEED},A@b.example,login,{{url}},no,sesame\nb,{FEED},b@b.example,,,,\n"
    done = await import_rows(database, _rows(file, content), keyring=keyring)
    assert done == Imported(added=["a", "b"], without_password=["b"])
    a, b = await accounts.list_accounts(database)
    assert Wiring.of(a) == Wiring("a", FEED, "a@b.example", template="{url}", active=False)
    assert Wiring.of(b) == Wiring("b", FEED, "b@b.example")
    assert keyring.open_password(a) == SecretStr("sesame")
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
    assert keyring.open_password(account) == SecretStr("sesame")


@pytest.mark.parametrize("format_", Format)
async def test_what_shapes_statuses_is_imported_and_its_problems_are_placed(
    database: Database, file: Path, format_: Format
) -> None:
    columns = {"length": "80", "mentions": "drop", "max_age": "90d", "never": "#ad, spam"}
    wrong = {"length": "many", "mentions": "no", "expires_after": "soon", "only": "a b"}
    for shape in (columns, wrong):
        row = {"name": "a", "source": FEED, "jid": "a@b.example"} | shape
        cells = [f'"{cell}"' for cell in row.values()]
        csv = f"{','.join(row)}\n{','.join(cells)}\n"
        file.write_text(csv if format_ is Format.CSV else json.dumps([row]))
        if shape is wrong:
            told = await _refused(database, rows.read(file, format_), update=True)
            assert [it.split(":")[0].rpartition(" ")[2] for it in told] == list(wrong)
        else:
            await import_rows(database, rows.read(file, format_))
    shaped = Wiring.of(await accounts.find(database, "a"))
    assert (shaped.length, shaped.mentions, shaped.hashtags) == (80, False, True)
    assert (shaped.max_age, shaped.never) == (timedelta(days=90), "#ad, spam")


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
    assert keyring.open_password(await accounts.find(database, "a")) == SecretStr("new")


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
    odd = Wiring(
        "é",
        FEED,
        "юля@b.example",
        template='"{text}", {url}',
        length=90,
        mentions=False,
        hashtags=False,
        max_age=timedelta(days=90),
        expires_after=timedelta(minutes=90),
        only="#status, berlin",
        never="#ad",
        active=False,
    )
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
    assert {keyring.open_password(account) for account in listed} == {SecretStr("x")}
