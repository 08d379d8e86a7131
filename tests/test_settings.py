"""Every setting is documented, with its default, and read from the environment."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deployments.cluster import ClusterSettings
from lastword.holder.settings import HoldSettings
from lastword.publishers.operator import OperatorSettings
from lastword.settings import Settings
from lastword.sources.bluesky_identity import BlueskySettings
from lastword.sources.mastodon import MastodonSettings
from lastword.sources.x_settings import XSettings

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"


ALL: list[type[BaseSettings]] = [
    *(Settings, ClusterSettings, OperatorSettings, HoldSettings),
    *(XSettings, MastodonSettings, BlueskySettings),
]
FIELDS = {
    f"{settings.model_config['env_prefix']}{name}".upper(): field
    for settings in ALL
    for name, field in settings.model_fields.items()
}


@pytest.mark.parametrize("name", FIELDS)
def test_documented(name: str) -> None:
    start = f"| `{name}` |"
    rows = [row for row in DOCS.read_text("utf-8").splitlines() if row.startswith(start)]
    assert len(rows) == 1
    default = FIELDS[name].default
    if isinstance(default, int | float) and not isinstance(default, bool):
        assert f"| {default:g} |" in rows[0]


def test_nothing_is_documented_that_there_is_not() -> None:
    named = re.findall(r"^\| `(LASTWORD_[A-Z_]+)`", DOCS.read_text("utf-8"), re.MULTILINE)
    assert set(named) == set(FIELDS)


def test_no_settings_are_forgotten_here() -> None:
    """Each of the program's settings is one of those above, wherever it is defined."""
    import_module("lastword.services")

    def below(kind: type[BaseSettings]) -> set[type[BaseSettings]]:
        return {kind}.union(*(below(it) for it in kind.__subclasses__()))

    ours = {
        it for it in below(BaseSettings) if it.__module__.startswith(("lastword.", "deployments."))
    }
    assert {it for it in ours if it.model_fields} == set(ALL)


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_XMPP_SERVERS", '{"chat.example": "127.0.0.1:5222"}')
    monkeypatch.setenv("LASTWORD_LOGINS", "7")
    settings = Settings()
    assert settings.xmpp_servers == {"chat.example": "127.0.0.1:5222"}
    assert settings.logins == 7


@pytest.mark.parametrize("kind", ALL)
def test_what_is_empty_is_not_set(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_default = kind()
    for name in kind.model_fields:
        variable = f"{kind.model_config['env_prefix']}{name}".upper()
        monkeypatch.setenv(variable, "")
        monkeypatch.setenv(f"{variable}_FILE", "")
    assert kind() == by_default


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
