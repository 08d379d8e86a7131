"""The database locked by somebody else, or its disk full: the run stops, and blames nobody."""

import resource
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from demo.stage import stage
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer
from faults.records import Records
from faults.running import Point, Result, Running, run
from faults.small_disk import fill, small_disk

pytestmark = [pytest.mark.xdist_group("runs"), pytest.mark.timeout(600)]

PEOPLE = 40
_SMALL = 1 << 16


def _settings(prefect: PrefectServer, database: str) -> dict[str, str]:
    return {
        "PREFECT_API_URL": prefect.api,
        "LASTWORD_DATABASE_URL": database,
        **PATIENT,
        # So that there is a middle.
        "LASTWORD_LOGINS": "4",
    }


async def _blames_nobody(records: Records) -> None:
    ends = {ended.error for ended in (await records.accounts()).values()}
    assert ends <= {None, "Stopped"}, ends
    assert await records.troubles() == []


def _is_told(result: Result, words: str) -> None:
    assert result.code in (1, 2), result
    assert words in result.output + result.errors
    assert "Traceback" not in result.errors


async def test_locked(
    prefect: PrefectServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    file, words = tmp_path / "lastword.db", "is locked by another process"
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("locked")
    async with (
        stage(crowd, _settings(prefect, f"sqlite:///{file}?timeout=1")) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{file}") as records,
        _connected(file) as other,
    ):
        running = await Running.start(scene.lastword, "run", "--json")
        assert await running.reach(Point(dice.randrange(1, PEOPLE // 2), 0), records, 0)
        other.execute("BEGIN IMMEDIATE")
        in_the_middle = await running.end()
        _is_told(in_the_middle, words)
        other.rollback()
        await _blames_nobody(records)

        write_all(crowd, "the lock is gone")
        last = await run(scene.lastword)
        assert (last.code, last.told["state"]) == (0, "Completed"), last
        assert last.told["due"] == PEOPLE
        await check_seen(contact, crowd, scene.site)
        assert await records.troubles() == []
    record_property("told", f"{in_the_middle.told['message']}; then {last.told['message']}")


@pytest.mark.parametrize(
    "how", ["small disk", "limit on files"] if PARAMETERS.is_full else ["small disk"]
)
async def test_full(
    prefect: PrefectServer,
    tmp_path: Path,
    how: str,
    record_property: Callable[[str, object], None],
) -> None:
    directory = tmp_path / "disk"
    file = directory / "lastword.db"
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice(f"full by {how}")
    with small_disk(directory, 4) as is_mounted:
        async with (
            stage(crowd, _settings(prefect, f"sqlite:///{file}")) as scene,
            counting(scene) as contact,
            Records.of(f"sqlite:///{file}") as records,
        ):
            if how == "small disk" and is_mounted:
                running = await Running.start(scene.lastword, "run", "--json")
                point = Point(dice.randrange(1, PEOPLE // 2), 0)
                assert await running.reach(point, records, 0)
                fill(directory / "ballast")
                first = await running.end()
                _is_told(first, "has no room left on its disk")
                (directory / "ballast").unlink()
            else:
                first = await run(scene.lastword, within=_only_small_files)
                _is_told(first, "its disk")
            await _blames_nobody(records)
            write_all(crowd, "there is room again")
            last = await run(scene.lastword)
            assert (last.code, last.told["state"]) == (0, "Completed"), last
            assert last.told["due"] == PEOPLE
            await check_seen(contact, crowd, scene.site)
            assert await records.troubles() == []
    by = "a tmpfs of 4 MiB" if how == "small disk" and is_mounted else "RLIMIT_FSIZE"
    record_property("told", f"{by}: {first.message}; then {last.message}")


def _only_small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL, resource.RLIM_INFINITY))


@asynccontextmanager
async def _connected(file: Path) -> AsyncIterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection
