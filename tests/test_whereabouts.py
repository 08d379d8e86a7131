"""What other commands believe of where `lastword up` is."""

import json
import os
from pathlib import Path

import pytest

from deployments.whereabouts import AlreadyUp, api_in_use, known, not_up

API = "http://127.0.0.1:4200/api"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_the_server_of_one_that_is_alive(tmp_path: Path) -> None:
    with known(tmp_path, API):
        assert api_in_use(tmp_path) == API
        with pytest.raises(AlreadyUp, match="stop it first"), not_up(tmp_path):
            pass
    assert api_in_use(tmp_path) is None


def test_word_of_a_dead_one_whose_number_another_process_has(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text(json.dumps({"pid": os.getpid(), "api": API}))
    assert api_in_use(tmp_path) is None
    with known(tmp_path, API):
        assert api_in_use(tmp_path) == API
