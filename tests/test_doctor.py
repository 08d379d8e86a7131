"""`lastword doctor` tells what the sources cost, and what keeps them from being asked."""

import pytest

from tests.fixtures_cli import Lastword


@pytest.fixture
def with_x(lastword: Lastword, monkeypatch: pytest.MonkeyPatch) -> Lastword:
    """The command, with three accounts at X, and nobody at the other end."""
    monkeypatch.setenv("LASTWORD_PASSWORD", "sesame")
    monkeypatch.setenv("LASTWORD_X_API", "https://127.0.0.1:9")
    monkeypatch.setenv("LASTWORD_XMPP_SERVERS", '{"chat.example": "127.0.0.1:9"}')
    assert lastword("init").code == 0
    for name in ("ann", "bob", "cat"):
        source = f"https://x.com/{name}"
        added = lastword("accounts", "add", name, source, f"{name}@chat.example", "--unseen")
        assert added.code == 0
    return lastword


def test_what_x_costs(with_x: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_X_TOKEN", "token")
    assert "✓ x: 3 accounts: from $0.04 a day, 1 request a run" in with_x("doctor").out
    monkeypatch.setenv("LASTWORD_X_MODE", "search")
    assert with_x("accounts", "pause", "cat").code == 0
    said = "✓ x: 2 accounts by search: $0.01 a day for one new post of each"
    assert said in with_x("doctor").out


def test_x_without_a_token(with_x: Lastword) -> None:
    ended = with_x("doctor")
    assert "✗ x: set LASTWORD_X_TOKEN to your app's bearer token" in ended.out
    assert ended.code == 1
