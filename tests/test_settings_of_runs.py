"""A worker that was started with a wrong setting says which it is, and never what it says."""

from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from flows.sync_accounts import sync_accounts
from flows.sync_shard import sync_shard

pytestmark = pytest.mark.xdist_group("prefect")

FLOWS: dict[str, Callable[[], State[Any]]] = {
    "run": lambda: sync_accounts(return_state=True),
    "shard": lambda: sync_shard(1, 1, return_state=True),
}


@pytest.mark.usefixtures("ready", "prefect_server")
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LASTWORD_LOGINS", "sesame", "input should be a valid integer"),
        ("LASTWORD_XMPP_SERVERS", "{sesame", "it is not valid JSON"),
        ("LASTWORD_BLUESKY_PLC", "https://a:sesame@plc.example", "value error, "),
        ("LASTWORD_X_MODE", "sesame", "input should be 'users' or 'search'"),
    ],
)
def test_a_wrong_setting_is_named(
    flow: str,
    name: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(name, value)
    state = FLOWS[flow]()
    assert state.type == "FAILED"
    assert str(state.message).startswith(f"{name}: {said}")
    assert "sesame" not in str(state.message) + caplog.text
