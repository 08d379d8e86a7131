"""Every setting is documented, with its default, and read from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lastword.settings import Settings

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_documented(name: str) -> None:
    rows = [
        row for row in DOCS.read_text("utf-8").splitlines() if f"`LASTWORD_{name.upper()}`" in row
    ]
    assert len(rows) == 1
    default = Settings.model_fields[name].default
    if isinstance(default, int | float):
        assert f"| {default:g} |" in rows[0]


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_XMPP_SERVERS", '{"chat.example": "127.0.0.1:5222"}')
    monkeypatch.setenv("LASTWORD_LOGINS", "7")
    settings = Settings()
    assert settings.xmpp_servers == {"chat.example": "127.0.0.1:5222"}
    assert settings.logins == 7


def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_FAILURE_THRESHOLD", "2")
    with pytest.raises(ValidationError, match="failure_threshold"):
        Settings()


@pytest.mark.parametrize(("given", "tag"), [("#quiet", "quiet"), (" नहीं ", "नहीं"), ("x_1", "x_1")])
def test_opt_out_tag(given: str, tag: str) -> None:
    assert Settings.model_validate({"opt_out_tag": given}).opt_out_tag == tag


@pytest.mark.parametrize("given", ["", "#", "two words", "##x", "a-b"])
def test_no_tag(given: str) -> None:
    with pytest.raises(ValidationError, match="it is one word of letters"):
        Settings.model_validate({"opt_out_tag": given})


@pytest.mark.parametrize("given", ["jürgen@chat.example", "a\nX: 1", "\x1b[31m", "x" * 201])
def test_contact_that_fits_in_no_header(given: str) -> None:
    with pytest.raises(ValidationError, match="it is an address in ASCII"):
        Settings.model_validate({"contact": given})
