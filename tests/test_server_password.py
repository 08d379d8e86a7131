"""A Prefect server that wants a password: who has none, or a wrong one, is told what to set."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from deployments.server import ServerTrouble, answers, wait_until_it_answers
from deployments.temporary import temporary_server
from tests.fixtures_cli import Lastword, assert_refused, run_process

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

WORDS = "refuses us: set PREFECT_API_AUTH_STRING"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API address of one that wants `admin:sesame`."""
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:sesame")
    with temporary_server(tmp_path / "server") as api:
        with temporary_settings({PREFECT_API_AUTH_STRING: "admin:sesame"}):
            asyncio.run(wait_until_it_answers(api, 120))
        yield api


def test_what_has_to_be_set_is_said(
    server: str, lastword: Lastword, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerTrouble, match=WORDS):
        asyncio.run(answers(server))
    assert lastword("init").code == 0
    monkeypatch.setenv("PREFECT_API_URL", server)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:other")
    monkeypatch.setenv("LASTWORD_HEALTH_PORT", "0")
    for command in (("run", "--json"), ("alerts", "list")):
        assert_refused(run_process(*command), f"{server} {WORDS}")
    up = run_process("up", "--server", server)
    assert up.code == 2
    assert up.err.startswith(f"lastword: Prefect's server at {server} {WORDS}")
    said = run_process("doctor")
    assert said.code == 1
    assert f"✗ Prefect: Prefect's server at {server} {WORDS}" in said.out
