"""A new key: everything is sealed anew while others read and write, and wherever it is killed."""

import asyncio
import base64
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretBytes, SecretStr
from sqlmodel import SQLModel, select

from lastword import accounts, rotation
from lastword.errors import Deferred
from lastword.keyfile import (
    MOUNTS,
    alone_with,
    is_mounted,
    new_key,
    read_keys,
    replace_keys,
)
from lastword.lingering import Lingering
from lastword.outcome import Outcome
from lastword.record import record
from lastword.sealing import Seal, SealedFor, sealed_columns
from lastword.secrets import Keyring, KeyTrouble, SealBroken
from lastword.settings import Settings
from lastword.wiring import Wiring
from models import Account, KeyCheck, OutcomeKind, Run, schema
from models.database import Database
from models.held import credentials_of
from models.run_lock import run_lock
from models.types import now

SESSION = {"id": SecretStr("the server's name for a session")}
CRASHES = 20


def _told(_: str) -> None:
    """Messages for people."""


def _settings(directory: Path, *keys: bytes) -> Settings:
    words = " ".join(base64.urlsafe_b64encode(key).decode() for key in keys)
    return Settings(data_dir=directory, key=SecretStr(words) if keys else None)


def _password(name: str) -> str:
    return f"password of {name}"


async def _add(database: Database, keyring: Keyring, name: str) -> Account:
    wiring = Wiring(name=name, source=f"x:{name}", jid=f"{name}@chat.example")
    return await accounts.add(
        database, wiring, password=SecretStr(_password(name)), keyring=keyring
    )


async def _all(database: Database) -> list[Account]:
    async with database.session() as session:
        return list(await session.exec(select(Account)))


async def _fill(settings: Settings, database: Database, number: int = 8) -> Keyring:
    keyring = Keyring.load(settings)
    await keyring.adopt(database)
    lingering = Lingering(keyring, timedelta(minutes=40))
    for one in range(number):
        account = await _add(database, keyring, f"u{one}")
        async with database.writing() as session:
            session.add(account)
            lingering.remember(account, SESSION, now())
    return keyring


def _open_all(found: list[Account], keyring: Keyring) -> None:
    lingering = Lingering(keyring, timedelta(minutes=40))
    for account in found:
        assert keyring.open_password(account) == SecretStr(_password(account.name))
        assert lingering.recall(account) == SESSION


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = _settings(tmp_path)
    Keyring.create(settings.key_path)
    return settings


async def test_all_is_sealed_anew_and_the_old_key_is_refused(
    database: Database, settings: Settings
) -> None:
    old = await _fill(settings, database, 250)
    [old_key], _ = read_keys(settings)
    before = await rotation.look(settings, database)
    assert before.sealed == {old.key_id: {"secret": 250, "session_memory": 250}}
    done = await rotation.rotate(settings, database, _told)
    assert (done.before, done.unopened, done.forgotten) == (old.key_id, [], True)

    new = Keyring.load(settings)
    await new.check(database)
    assert new.key_ids == (done.key_id,) != (old.key_id,)
    assert stat.S_IMODE(settings.key_path.stat().st_mode) == 0o600
    found = await _all(database)
    assert len(found) == 250
    _open_all(found, new)
    alone = Keyring(old_key)
    with pytest.raises(KeyTrouble, match="restore the right key"):
        await alone.check(database)
    with pytest.raises(SealBroken):
        alone.open(found[0].secret or "", SealedFor.account(found[0], "secret"))


async def test_no_table_keeps_anything_of_the_old_key(
    database: Database, settings: Settings
) -> None:
    old = await _fill(settings, database)
    await rotation.rotate(settings, database, _told)
    async with database.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            rows = (await connection.execute(table.select())).all()
            assert f"v1.{old.key_id}." not in repr(rows)


def test_the_columns_that_hold_sealed_values_are_known_by_their_mark() -> None:
    assert sealed_columns() == ("secret", "session_memory")
    marked = [
        (table.name, column.name)
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if column.info.get("sealed")
    ]
    assert marked == [("account", name) for name in sealed_columns()]


def test_nothing_is_sealed_for_a_column_that_a_rotation_would_not_find() -> None:
    account = Account(id=1, name="a", source="x:a", jid="a@chat.example")
    with pytest.raises(ValueError, match="source_memory is not marked"):
        SealedFor.account(account, "source_memory")
    package = Path(rotation.__file__).parent
    made = {file.name for file in package.rglob("*.py") if "SealedFor(" in file.read_text("utf-8")}
    assert made == {"secrets.py"}, "the canary alone, which `conclude` seals anew"


async def test_runs_and_people_go_on_meanwhile(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "AT_ONCE", 2)
    await _fill(settings, database, 30)
    # As other processes, which began before and know the old key only.
    run, people = Keyring.load(settings), Keyring.load(settings)
    async with database.writing() as session:
        session.add(row := Run(which="all", started_at=now(), due=30))
    loaded = await _all(database)
    lingering = Lingering(run, timedelta(minutes=40))

    async def finish_run() -> None:
        async with run_lock(database):
            rotating.set()
            for account in loaded:
                assert run.open_password(account) == SecretStr(_password(account.name))
                if (account.id or 0) % 2:
                    lingering.remember(account, SESSION, now())
                outcome = Outcome(OutcomeKind.UNCHANGED, "nothing new")
                await record(database, row.id or 0, account, outcome, 0.1)

    async def change_accounts() -> None:
        for one in range(10):
            await _add(database, people, f"new{one}")
            password = SecretStr(_password(f"u{one}"))
            await accounts.edit(database, f"u{one}", {}, password=password, keyring=people)

    rotating = asyncio.Event()
    running = asyncio.create_task(finish_run())
    await rotating.wait()
    await asyncio.gather(rotation.rotate(settings, database, _told), change_accounts(), running)
    new = Keyring.load(settings)
    assert len(new.key_ids) == 1
    after = await _all(database)
    assert len(after) == 40
    assert {
        new.open_password(account) == SecretStr(_password(account.name)) for account in after
    } == {True}
    _open_all([account for account in after if not account.name.startswith("new")], new)


async def test_a_run_under_way_is_waited_for(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_AGAIN", 0.01)
    await _fill(settings, database, 1)
    told = asyncio.Event()
    async with run_lock(database):
        rotating = asyncio.create_task(rotation.rotate(settings, database, lambda _: told.set()))
        await told.wait()
        assert len(read_keys(settings)[0]) == 2, "the run may still seal with the old one"
    assert (await rotating).forgotten
    assert len(read_keys(settings)[0]) == 1


async def test_keys_that_are_given(database: Database, tmp_path: Path) -> None:
    old, new = os.urandom(32), os.urandom(32)
    await _fill(_settings(tmp_path, old), database)
    with pytest.raises(KeyTrouble, match="write a new one after it"):
        await rotation.rotate(_settings(tmp_path, old), database, _told)
    both = _settings(tmp_path, old, new)
    service = Keyring.load(both)
    await service.check(database)
    assert service.key_id == Seal(SecretBytes(old)).key_id, (
        "until all know the new one, the old one seals"
    )
    for _ in range(2):
        done = await rotation.rotate(both, database, _told)
        assert (done.key_id, done.forgotten) == (Seal(SecretBytes(new)).key_id, False)
    _open_all(await _all(database), service)
    await service.check(database)
    assert service.key_id == Seal(SecretBytes(new)).key_id
    _open_all(await _all(database), Keyring(SecretBytes(new)))


async def test_who_lacks_the_new_key_is_told_and_no_account_suffers(
    database: Database, tmp_path: Path
) -> None:
    old, new = os.urandom(32), os.urandom(32)
    await _fill(_settings(tmp_path, old), database, 1)
    coming = rotation._Rotation(database, Keyring(SecretBytes(old), SecretBytes(new)))
    await coming.announce()
    elsewhere = Keyring(SecretBytes(old), origin="LASTWORD_KEY")
    with pytest.raises(KeyTrouble, match="which LASTWORD_KEY does not hold: give it both keys"):
        await elsewhere.check(database)
    await coming.seal_all()
    [account] = await _all(database)
    with pytest.raises(Deferred, match=r"sealed with key .*, which is not here"):
        elsewhere.open_password(account)
    assert Lingering(elsewhere, timedelta(1)).recall(account) is None


async def test_what_no_key_opens_is_left_and_named(database: Database, settings: Settings) -> None:
    await _fill(settings, database, 3)
    async with database.writing() as session:
        spoilt = (await session.exec(select(Account).where(Account.name == "u1"))).one()
        spoilt.secret = before = f"{spoilt.secret}"[:-8] + "AAAAAAA="
        spoilt.session_memory = "2026-01-01T00:00:00+00:00 v1.deadbeef.AAAA"
    done = await rotation.rotate(settings, database, _told)
    assert done.unopened == ["u1"]
    found = {account.name: account for account in await _all(database)}
    assert (found["u1"].secret, found["u1"].session_memory) == (before, None)
    _open_all([found["u0"], found["u2"]], Keyring.load(settings))


async def test_a_password_is_known_to_be_the_same_one(
    database: Database, settings: Settings
) -> None:
    await _fill(settings, database, 2)
    before = {
        it.name: (it.secret, credentials_of(it.jid, it.secret)) for it in await _all(database)
    }
    await rotation.rotate(settings, database, _told)
    for account in await _all(database):
        secret, credentials = before[account.name]
        assert account.secret != secret
        assert credentials_of(account.jid, account.secret) == credentials, "or it is tried again"
    assert len({credentials for _, credentials in before.values()}) == 2


def test_two_rotations_at_once_are_refused(settings: Settings) -> None:
    with (
        alone_with(settings.key_path),
        pytest.raises(KeyTrouble, match="replaced already"),
        alone_with(settings.key_path),
    ):
        pass


def test_a_key_file_that_is_mounted_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert is_mounted(tmp_path / "key")
    assert rotation.file_of(_settings(tmp_path)) is None
    assert is_mounted(Path(MOUNTS[0], "key"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert rotation.file_of(_settings(tmp_path)) == tmp_path / "key"


def test_more_than_two_keys_are_refused(settings: Settings) -> None:
    replace_keys(settings.key_path, [new_key() for _ in range(3)])
    with pytest.raises(KeyTrouble, match="holds 3 keys: it takes one, or two"):
        Keyring.load(settings)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    directory = tmp_path / "template"
    settings = _settings(directory)
    Keyring.create(settings.key_path)

    async def make() -> None:
        async with Database.open(settings.database, check=False) as database:
            await schema.upgrade(database)
            await _fill(settings, database)

    asyncio.run(make())
    return directory


def _rotations(order: list[tuple[Path, int]]) -> list[int]:
    """Run rotations in these directories, killed at that line, and return how they ended."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.rotation_killed"],
        input=json.dumps([(str(directory), line) for directory, line in order]).encode(),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        check=True,
    )
    statuses: list[int] = json.loads(ended.stdout)
    return statuses


def test_killed_at_twenty_points_nothing_is_lost(template: Path, tmp_path: Path) -> None:
    [old_key], _ = read_keys(_settings(template))
    whole = shutil.copytree(template, tmp_path / "whole")
    assert _rotations([(whole, 0)]) == [0]
    lines = int((whole / "lines").read_text())
    points = random.Random(7).sample(range(1, lines + 1), CRASHES)  # noqa: S311
    places = [shutil.copytree(template, tmp_path / f"at-{line}") for line in points]
    ended = _rotations(list(zip(places, points, strict=True)))
    assert {os.WTERMSIG(status) for status in ended} == {signal.SIGKILL}

    asyncio.run(_finish(places, old_key))


async def _finish(places: list[Path], old_key: SecretBytes) -> None:
    states = set()
    for place in places:
        settings = _settings(place)
        async with Database.open(settings.database, check=False) as database:
            keyring = Keyring.load(settings)
            await keyring.check(database)
            found = await _all(database)
            _open_all(found, keyring)
            async with database.session() as session:
                coming = (await session.exec(select(KeyCheck).where(KeyCheck.id == 2))).first()
            states.add((len(keyring.key_ids), coming is None))
            content = b"".join(file.read_bytes() for file in place.glob("lastword.db*"))
            assert not [it for it in found if _password(it.name).encode() in content]

            await rotation.rotate(settings, database, _told)
            new = Keyring.load(settings)
            assert len(new.key_ids) == 1
            _open_all(await _all(database), new)
            with pytest.raises(KeyTrouble):
                await Keyring(old_key).check(database)
            left = {file.name for file in place.iterdir()} - {"lines"}
            assert not [name for name in left if name.startswith(".")]
    assert len(states) > 2, "the points were all alike"
