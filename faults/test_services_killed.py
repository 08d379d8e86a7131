"""The services killed at random points: what they leave, the next start puts right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import psutil
import pytest

from bench.hold import Service
from demo.prefect_api import PrefectAPI
from demo.stage import Stage, free_port, stage
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer
from faults.processes import check_none_left, the_one
from faults.records import Records
from faults.running import Point, newest_run, reach, run
from lastword import accounts

PEOPLE = 16
DEPLOYMENT = "sync-accounts/every-30-minutes"
_UP = 240.0
_RUN = 120.0
_SETTINGS = {
    **PATIENT,
    # So that there is a middle.
    "LASTWORD_LOGINS": "1",
}


def _random_point(dice: Random) -> Point:
    return Point(dice.randrange(1, PEOPLE * 3 // 4), dice.uniform(0, 0.05))


@asynccontextmanager
async def _up(scene: Stage) -> AsyncIterator[tuple[asyncio.subprocess.Process, PrefectAPI]]:
    """Run `lastword up`, its schedule at rest: runs are those that are asked for."""
    port = free_port()
    async with (
        scene.lastword.up(port, _UP) as process,
        PrefectAPI(f"http://127.0.0.1:{port}/api") as api,
    ):
        await api.pause(DEPLOYMENT)
        yield process, api


@pytest.mark.xdist_group("up")
@pytest.mark.timeout(1800)
async def test_flow_worker_server_and_all_of_it(
    record_property: Callable[[str, object], None],
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("services")
    told: list[int] = []
    async with (
        stage(crowd, _SETTINGS) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        data_dir = scene.lastword.data_dir

        async def kill_in_a_run(api: PrefectAPI, victim: psutil.Process | None) -> str:
            write_all(crowd, f"before kill {len(told) + 1}")
            before, point = await newest_run(records), _random_point(dice)
            flow_run = await api.start(DEPLOYMENT)
            await reach(point, records, before)
            (victim or the_one(data_dir, "prefect.engine")).kill()
            told.append(await records.done_since(before))
            return flow_run

        async def check_run(api: PrefectAPI) -> None:
            state = await api.end(await api.start(DEPLOYMENT), _RUN)
            assert (state.type, state.name) == ("COMPLETED", "Completed"), state
            await check_seen(contact, crowd, scene.site)
            assert await records.troubles() == []

        async with _up(scene) as (process, api):
            killed = await kill_in_a_run(api, None)
            # Prefect hears it from the worker, and the deployment's one slot is free again.
            assert (await api.end(killed, _RUN)).type == "CRASHED"
            await check_run(api)
            await kill_in_a_run(api, the_one(data_dir, "worker", "start"))
            assert await asyncio.wait_for(process.wait(), _RUN) == 1
        await check_none_left(data_dir)

        async with _up(scene) as (process, api):
            await check_run(api)
            await kill_in_a_run(api, the_one(data_dir, "server", "start"))
            assert await asyncio.wait_for(process.wait(), _RUN) == 1
        await check_none_left(data_dir)

        async with _up(scene) as (process, api):
            await check_run(api)
            await kill_in_a_run(api, psutil.Process(process.pid))
            await process.wait()
            await check_none_left(data_dir)

        async with _up(scene) as (_, api):
            await check_run(api)
        await check_none_left(data_dir)
    record_property("told", f"killed with {told} of {PEOPLE} accounts done; nothing left behind")


@pytest.mark.xdist_group("prefect")
@pytest.mark.timeout(600)
async def test_holder(
    prefect: PrefectServer, record_property: Callable[[str, object], None]
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("holder")
    held = [person for person in crowd if person.publisher == "login"]
    settings = {**_SETTINGS, "PREFECT_API_URL": prefect.api}
    async with (
        stage(crowd, settings) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        for person in held:
            await accounts.edit(records.database, person.name, {"publisher": "hold"})
        environment = scene.lastword.environment
        async with Service.start(environment) as service:
            await service.until(len(held), _RUN)
            assert (await run(scene.lastword)).counts == {"Published": PEOPLE}
            await check_seen(contact, crowd, scene.site)
            service.kill()

        away = await run(scene.lastword, "--which", "all")
        # Half of the accounts are the operator's, and are well.
        assert away.counts == {"Unchanged": PEOPLE - len(held), "Failed": len(held)}
        ends = {name: ended.error for name, ended in (await records.accounts()).items()}
        assert {ends[person.name] for person in held} == {"HolderAway"}

        # Killed again, while it logs in.
        async with Service.start(environment) as service:
            await asyncio.sleep(dice.uniform(0, 1))
            service.kill()

        async with Service.start(environment) as service:
            await service.until(len(held), _RUN)
            # What it was asked for before stands again, without a run.
            await check_seen(contact, held, scene.site)
            write_all(crowd, "the holder is back")
            back = await run(scene.lastword)
            assert (back.code, back.counts) == (0, {"Published": PEOPLE}), back
            await check_seen(contact, crowd, scene.site)
            assert await records.troubles() == []
        await check_none_left(scene.lastword.data_dir)
    record_property(
        "told", f"{len(held)} sessions back after kill -9, twice; {away.told['message']}"
    )
