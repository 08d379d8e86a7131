"""The data directory: made where it is missing; where it cannot be used, one line says so."""

import shutil
from pathlib import Path

import pytest

from lastword.data_dir import PARTS, make_usable
from lastword.secrets import Keyring
from lastword.usage import UsageError
from tests.fixtures_cli import Lastword, assert_refused, run_process

COMMANDS = (("run",), ("up", "--server", "http://127.0.0.1:1/api"))


def test_it_is_made_for_its_user_only(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    for _ in range(2):
        make_usable(data)
        assert {it.name for it in data.iterdir()} == set(PARTS)
        assert {it.stat().st_mode & 0o777 for it in (data, *data.iterdir())} == {0o700}


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(UsageError, match=f"the data directory {tmp_path}/data cannot be used"):
        make_usable(tmp_path / "data")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("part", ["logs", "prefect", "logs/worker.log/"])
def test_a_part_that_cannot_be_used(
    ready: Lastword, data: Path, part: str, command: tuple[str, ...]
) -> None:
    place = data / part
    if part.endswith("/"):  # as little to be appended to as a file of root's
        place.mkdir(parents=True)
    else:
        place.touch()
    said = ready(*command)
    assert_refused(said, f"the data directory {data} cannot be used (", str(place))
    assert "set LASTWORD_DATA_DIR" in said.err


def test_a_second_machine_needs_no_init(
    lastword: Lastword,
    data: Path,
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Keyring.create(tmp_path / "key")
    monkeypatch.setenv("LASTWORD_KEY", (tmp_path / "key").read_text().strip())
    monkeypatch.setenv("LASTWORD_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("LASTWORD_HEALTH_PORT", "0")
    assert lastword("init").code == 0
    shutil.rmtree(data)
    said = run_process("up", "--server", "http://127.0.0.1:1/api")
    assert said.code == 2
    assert said.err == "lastword: no Prefect server answers at http://127.0.0.1:1/api\n"
    assert (data / "up.lock").exists()
