"""Servers restarted in the middle of a run: the chat server, PostgreSQL, Prefect's."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.postgresql import PostgreSQL
from demo.prefect_api import PrefectAPI
from demo.stage import stage
from faults.counting import counting
from faults.crowd import PATIENT, check_kept, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer, prefect_server
from faults.records import Records
from faults.running import Point, Running, newest_run, run

pytestmark = [pytest.mark.xdist_group("runs"), pytest.mark.timeout(600)]

PEOPLE = 40
_SETTINGS = {
    **PATIENT,
    # So that there is a middle.
    "LASTWORD_LOGINS": "4",
}


async def test_the_chat_server(
    prefect: PrefectServer, record_property: Callable[[str, object], None]
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("the chat server")
    async with (
        stage(crowd, {**_SETTINGS, "PREFECT_API_URL": prefect.api}) as scene,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        running = await Running.start(scene.lastword, "run", "--json")
        assert await running.reach(Point(dice.randrange(1, PEOPLE // 2), 0), records, 0)
        await asyncio.to_thread(scene.prosody.restart)
        first = await running.end()
        # Those whose logins were cut off are tried again, within this run or in the next one.
        assert set(first.counts) <= {"Published", "Deferred", "Failed"}, first
        ends = Counter(ended.error for ended in (await records.accounts()).values())
        assert set(ends) <= {None, "Transient", "Deferred"}, ends
        second = await run(scene.lastword)
        assert (second.code, second.told["state"]) == (0, "Completed"), second
        assert second.told["due"] == PEOPLE
        shown = {name: ended.outcome for name, ended in (await records.accounts()).items()}
        assert set(shown.values()) <= {"Published", "Unchanged"}
        assert await records.troubles() == []
        # The phones left with the server: the status waits for them there.
        await check_kept(scene, crowd)
    record_property("told", f"{first.told['message']}; then {second.told['message']}")


@pytest.mark.parametrize("crash", [False, True] if PARAMETERS.is_full else [True])
async def test_postgresql(
    prefect: PrefectServer,
    crash: bool,
    record_property: Callable[[str, object], None],
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice(f"PostgreSQL {crash}")
    with PostgreSQL() as server:
        url = server.create_database("faults")
        settings = {"PREFECT_API_URL": prefect.api, "LASTWORD_DATABASE_URL": url}
        async with (
            stage(crowd, {**_SETTINGS, **settings}) as scene,
            counting(scene) as contact,
            Records.of(url) as records,
        ):
            running = await Running.start(scene.lastword, "run", "--json")
            assert await running.reach(Point(dice.randrange(1, PEOPLE // 2), 0), records, 0)
            await asyncio.to_thread(server.restart, crash=crash)
            first = await running.end()
            # It says so, if only where the tables are asked how the run went.
            assert first.code in (1, 2), first
            assert "PostgreSQL at" in first.output + first.errors
            assert "Traceback" not in first.errors
            # Nobody is blamed.
            ends = Counter(ended.error for ended in (await records.accounts()).values())
            assert set(ends) <= {None, "Stopped"}, ends
            write_all(crowd, "the database is back")
            second = await run(scene.lastword)
            assert (second.code, second.told["state"]) == (0, "Completed"), second
            assert second.told["due"] == PEOPLE
            await check_seen(contact, crowd, scene.site)
            assert await records.troubles() == []
    record_property("told", f"{first.message}; then {second.message}")


async def test_prefects_server(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("Prefect's server")
    with prefect_server(tmp_path) as server:
        async with (
            stage(crowd, {**_SETTINGS, "PREFECT_API_URL": server.api}) as scene,
            counting(scene) as contact,
            Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
        ):
            for number in (signal.SIGTERM, signal.SIGKILL):
                write_all(crowd, f"before {number.name}")
                before = await newest_run(records)
                running = await Running.start(scene.lastword, "run", "--json")
                point = Point(dice.randrange(1, PEOPLE // 2), 0)
                assert await running.reach(point, records, before)
                await asyncio.to_thread(server.end, number)
                server.start()
                result = await running.end()
                assert (result.code, result.told["state"]) == (0, "Completed"), result
                assert result.counts == {"Published": PEOPLE}
                await check_seen(contact, crowd, scene.site)
                assert await records.troubles() == []
                async with PrefectAPI(server.api) as api:
                    state = await api.state(result.told["flow_run_id"])
                assert state.type == "COMPLETED"
    record_property("told", "every account Published all the same, the run Completed at Prefect")
