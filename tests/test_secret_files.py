"""Secrets from files: `LASTWORD_…_FILE`, and the key where containers mount it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from lastword import keyfile
from lastword.errors import Systemic
from lastword.keyfile import KeyTrouble, create_key, read_keys
from lastword.publishers.operator import OperatorSettings
from lastword.settings import Settings
from lastword.sources.mastodon import MastodonSettings
from lastword.sources.x_settings import XSettings
from tests.fixtures_cli import Lastword, assert_refused

URL = "postgresql://u:sesame@h/d"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def test_each_may_come_from_a_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "DATABASE_URL": URL,
        "OPERATORS": '{"chat.example": {"component": "c.chat.example", "secret": "s"}}',
        "X_TOKEN": "token",
        "MASTODON_TOKENS": '{"social.example": "token"}',
    }.items():
        file = secret.with_name(name)
        file.write_text(f"{text}\n")
        monkeypatch.setenv(f"LASTWORD_{name}_FILE", str(file))
    assert Settings().database_url == SecretStr(URL)
    assert OperatorSettings().operators["chat.example"].component == "c.chat.example"
    token = XSettings().x_token
    assert token
    assert token.get_secret_value() == "token"
    assert list(MastodonSettings().mastodon_tokens) == ["social.example"]


def test_what_cannot_be_read_is_told(
    secret: Path, monkeypatch: pytest.MonkeyPatch, lastword: Lastword
) -> None:
    monkeypatch.setenv("LASTWORD_DATABASE_URL_FILE", str(secret))
    named = "LASTWORD_DATABASE_URL_FILE: "
    assert_refused(lastword("accounts", "list"), f"{named}{secret} cannot be read (No such file")
    secret.write_text(" \n")
    assert_refused(lastword("accounts", "list"), f"{named}{secret} is empty")
    secret.write_bytes(b"\xff")
    assert_refused(lastword("accounts", "list"), "is not UTF-8")
    monkeypatch.setenv("LASTWORD_DATABASE_URL", URL)
    assert_refused(lastword("accounts", "list"), "are both set: unset one of them")


def test_what_is_malformed_is_not_quoted(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_OPERATORS_FILE", str(secret))
    secret.write_text('{"chat.example": sesame}')
    with pytest.raises(Systemic, match="LASTWORD_OPERATORS_FILE: it holds no valid JSON") as caught:
        OperatorSettings()
    assert caught.value.__suppress_context__
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(("mode", "mounted", "is_read"), [
    (0o600, False, True), (0o444, False, False), (0o640, False, False),
    (0o400, True, True), (0o444, True, True), (0o440, True, True), (0o464, True, False),
])  # fmt: skip
def test_a_key_that_is_mounted_may_be_read_by_others(
    secret: Path, mode: int, mounted: bool, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(secret)
    secret.chmod(mode)
    settings = Settings(key_file=secret)
    if mounted:
        monkeypatch.setattr(keyfile, "MOUNTS", (str(secret.parent),))
    if is_read:
        assert len(read_keys(settings)[0][0]) == 32
        return
    with pytest.raises(KeyTrouble, match="is open to others"):
        read_keys(settings)


def test_flow_runs_find_them_from_a_directory_of_their_own(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(secret.parent)
    secret.write_text(URL)
    monkeypatch.setenv("LASTWORD_DATABASE_URL_FILE", "secret")
    assert Settings().paths()["LASTWORD_DATABASE_URL_FILE"] == secret


def test_systemds_credentials_are_mounted(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(secret)
    secret.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
    assert len(read_keys(Settings(key_file=secret))[0][0]) == 32
