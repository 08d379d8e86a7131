"""Secrets: they open in one place only, and a wrong key is told before any account is blamed."""

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr
from sqlmodel import select

from lastword.errors import Rejected, Systemic
from lastword.sealing import Seal
from lastword.secrets import Keyring, KeyTrouble, SealBroken, SealedFor
from lastword.settings import Settings
from models import Account, KeyCheck
from models.database import Database

KEY = bytes(range(32))
PLACE = SealedFor("account", "secret", 7, "chat.example")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(SecretBytes(KEY))


def _account(id_: int = 7, jid: str = "alice@chat.example") -> Account:
    return Account(id=id_, name="alice", source="x:alice", jid=jid)


def _settings(directory: Path) -> Settings:
    return Settings(data_dir=directory)


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    assert Seal(SecretBytes(KEY)).open(
        Seal(SecretBytes(KEY)).seal(SecretStr(text), PLACE), PLACE
    ) == SecretStr(text)


def test_the_token_names_format_and_key_and_hides_the_rest(keyring: Keyring) -> None:
    token = keyring.seal(SecretStr("sesame"), PLACE)
    *start, sealed = token.split(".")
    assert start == ["v1", keyring.key_id]
    assert b"sesame" not in base64.urlsafe_b64decode(sealed)
    assert token != keyring.seal(SecretStr("sesame"), PLACE), "no nonce is used twice"


@pytest.mark.parametrize(
    "elsewhere",
    [
        SealedFor("other", "secret", 7, "chat.example"),
        SealedFor("account", "session_memory", 7, "chat.example"),
        SealedFor("account", "secret", 8, "chat.example"),
        SealedFor("account", "secret", 7, "evil.example"),
    ],
)
def test_it_opens_in_no_other_place(keyring: Keyring, elsewhere: SealedFor) -> None:
    with pytest.raises(SealBroken, match="sealed for another place"):
        keyring.open(keyring.seal(SecretStr("sesame"), PLACE), elsewhere)


def test_places_do_not_run_together(keyring: Keyring) -> None:
    token = keyring.seal(SecretStr("sesame"), SealedFor("ab", "c", 1, "d"))
    with pytest.raises(SealBroken):
        keyring.open(token, SealedFor("a", "bc", 1, "d"))


@given(st.data())
def test_an_altered_token_does_not_open(data: st.DataObject) -> None:
    token = Seal(SecretBytes(KEY)).seal(SecretStr("sesame"), PLACE)
    position = data.draw(st.integers(0, len(token) - 1))
    altered = token[:position] + data.draw(st.characters()) + token[position + 1 :]
    if altered != token:
        with pytest.raises(SealBroken):
            Seal(SecretBytes(KEY)).open(altered, PLACE)


@given(st.text())
def test_what_is_no_token_does_not_open(token: str) -> None:
    with pytest.raises(SealBroken):
        Seal(SecretBytes(KEY)).open(token, PLACE)


def test_another_key_is_told_apart(keyring: Keyring) -> None:
    with pytest.raises(SealBroken, match="sealed with another key"):
        keyring.open(Keyring(SecretBytes(os.urandom(32))).seal(SecretStr("sesame"), PLACE), PLACE)


def test_no_key_and_no_password_in_a_representation(keyring: Keyring) -> None:
    assert repr(keyring) == f"Keyring({keyring.key_id})"
    assert base64.urlsafe_b64encode(KEY).decode() not in repr(vars(keyring))


def test_password(keyring: Keyring) -> None:
    account = _account()
    account.secret = keyring.seal_password(account, SecretStr("sesame"))
    assert keyring.open_password(account) == SecretStr("sesame")


def test_a_password_is_not_shown_to_another_server_or_account(keyring: Keyring) -> None:
    secret = keyring.seal_password(_account(), SecretStr("sesame"))
    for other in (_account(jid="alice@evil.example"), _account(id_=8)):
        other.secret = secret
        with pytest.raises(Rejected, match=r"does not open.*`lastword accounts edit alice --passw"):
            keyring.open_password(other)


def test_no_password_says_what_to_do(keyring: Keyring) -> None:
    with pytest.raises(Rejected, match="no password is set: `lastword accounts edit alice --pass"):
        keyring.open_password(_account())


def test_nothing_is_sealed_for_an_account_without_id(keyring: Keyring) -> None:
    with pytest.raises(ValueError, match="needs its id"):
        keyring.seal_password(Account(name="a", source="x:a", jid="a@b"), SecretStr("sesame"))


def test_a_new_key_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    Keyring.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    before = path.read_bytes()
    with pytest.raises(KeyTrouble, match="is there already and was left as it is"):
        Keyring.create(path)
    assert path.read_bytes() == before


def test_a_key_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyTrouble, match="cannot be made: Not a directory"):
        Keyring.create(tmp_path / "file" / "new" / "key")


def test_each_key_is_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Keyring.create(tmp_path / name / "key")
    one, two = (Keyring.load(_settings(tmp_path / name)) for name in ("one", "two"))
    assert one.key_id != two.key_id


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "key")
    text = base64.urlsafe_b64encode(KEY).decode()
    settings = Settings(data_dir=tmp_path, key=SecretStr(text))
    assert Keyring.load(settings).key_id == Keyring(SecretBytes(KEY)).key_id
    assert text not in repr(settings)


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        KeyTrouble, match=r"no key at .*key: run `lastword init`, or restore"
    ) as told:
        Keyring.load(_settings(tmp_path))
    assert isinstance(told.value, Systemic), "it stops the run and blames no account"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    Keyring.create(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyTrouble, match=r"open to others: run `chmod 600 .*/key`"):
        Keyring.load(_settings(tmp_path))


def test_a_stricter_mode_is_fine(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "key")
    (tmp_path / "key").chmod(0o400)
    Keyring.load(_settings(tmp_path))


@pytest.mark.parametrize(
    "content", ["", "sesame", "A" * 43, base64.b64encode(bytes(31)).decode(), "ä" * 44, "\0" * 44]
)
def test_a_malformed_key_is_told_and_not_repeated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(KeyTrouble, match=r"holds no key \(32 bytes in base64\)") as told:
        Keyring.load(_settings(tmp_path))
    assert not content or content not in str(told.value)


def test_a_directory_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir(mode=0o700)
    with pytest.raises(KeyTrouble, match=r"cannot be read \(Is a directory\)"):
        Keyring.load(_settings(tmp_path))


async def test_the_databases_own_key_is_known(database: Database, keyring: Keyring) -> None:
    assert await keyring.adopt(database)
    assert not await keyring.adopt(database)
    await keyring.check(database)


async def test_a_database_without_canary_is_told(database: Database, keyring: Keyring) -> None:
    with pytest.raises(KeyTrouble, match="does not know its key yet: run `lastword init`"):
        await keyring.check(database)


async def test_a_wrong_key_is_told(database: Database, keyring: Keyring) -> None:
    await keyring.adopt(database)
    other = Keyring(SecretBytes(os.urandom(32)), origin="the key file /srv/key")
    words = rf"the key file /srv/key is not .*it is {other.key_id}.*sealed with {keyring.key_id}"
    with pytest.raises(KeyTrouble, match=words):
        await other.check(database)


async def _add_sealed(database: Database, keyring: Keyring) -> None:
    async with database.session() as session:
        session.add(account := Account(name="alice", source="x:a", jid="alice@chat.example"))
        await session.flush()
        account.secret = keyring.seal_password(account, SecretStr("sesame"))
        await session.commit()


@pytest.mark.parametrize("canary", [True, False])
async def test_a_new_key_is_not_adopted_beside_sealed_passwords(
    database: Database, keyring: Keyring, canary: bool
) -> None:
    if canary:
        await keyring.adopt(database)
    await _add_sealed(database, keyring)
    with pytest.raises(KeyTrouble, match="restore the right key"):
        await Keyring(SecretBytes(os.urandom(32))).adopt(database)
    assert not canary or not await keyring.adopt(database)


async def test_a_new_key_is_adopted_where_nothing_is_lost(
    database: Database, keyring: Keyring
) -> None:
    await keyring.adopt(database)
    new = Keyring(SecretBytes(os.urandom(32)))
    assert await new.adopt(database)
    await new.check(database)


async def test_an_altered_canary_is_told(database: Database, keyring: Keyring) -> None:
    await keyring.adopt(database)
    async with database.session() as session, session.begin():
        row = (await session.exec(select(KeyCheck))).one()
        row.canary = row.canary[:-4] + "AAAA"
    for act in (keyring.check, keyring.adopt):
        with pytest.raises(KeyTrouble):
            await act(database)
