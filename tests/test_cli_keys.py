"""`lastword keys …`: no key is ever shown, and a plan changes nothing."""

import base64
import json
import os
from pathlib import Path

import pytest

from tests.fixtures_cli import Lastword


def _new() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def test_from_plan_to_a_new_key(ready: Lastword, data: Path) -> None:
    before = (data / "key").read_text().strip()
    [shown] = json.loads(ready("keys", "show", "--json").out)["keys"]
    assert (shown["role"], shown["passwords"], shown["sessions"]) == ("seals", 1, 0)
    planned = ready("keys", "rotate", "--plan")
    assert "1. Put a new key into" in planned.err
    assert "2. Seal 1 passwords and 0 sessions with the new key" in planned.err
    assert (data / "key").read_text().strip() == before

    done = ready("keys", "rotate")
    assert done.code == 0
    after = (data / "key").read_text().strip()
    assert f"Key {shown['key']} is gone from" in done.err
    table = ready("keys", "show")
    assert "seals" in table.out
    assert shown["key"] not in table.out
    said = "".join(it.out + it.err for it in (planned, done, table))
    assert before not in said
    assert after not in said


def test_a_key_that_is_given(ready: Lastword, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (data / "key").read_text().strip(), _new()
    monkeypatch.setenv("LASTWORD_KEY", old)
    assert "1. You: LASTWORD_KEY is given from outside" in ready("keys", "rotate", "--plan").err
    refused = ready("keys", "rotate")
    assert (refused.code, refused.out) == (2, "")
    assert "write a new one after it" in refused.err
    monkeypatch.setenv("LASTWORD_KEY", f"{old} {new}")
    assert "comes next" in ready("keys", "show").out
    assert "2. You: take key" in ready("keys", "rotate", "--plan").err
    assert "the first of the two, away from LASTWORD_KEY" in ready("keys", "rotate").err
    assert "1. You: take key" in ready("keys", "rotate", "--plan").err
    monkeypatch.setenv("LASTWORD_KEY", old)
    assert "restore the right key" in ready("keys", "show").err
    monkeypatch.setenv("LASTWORD_KEY", new)
    assert ready("keys", "show").code == 0
