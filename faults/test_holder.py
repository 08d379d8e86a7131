"""`lastword hold` killed, also while it logs in: what it was asked for stands again by itself."""

import asyncio
from collections.abc import Callable

import pytest

from bench.hold import Service
from demo.stage import stage
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer
from faults.processes import check_none_left
from faults.records import Records
from faults.running import run
from lastword import accounts
from lastword.holder.heartbeat import DEAD, alive_since

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(600)]

PEOPLE = 16
_UP = 120.0
"""Seconds until all sessions are up."""


async def test_killed(
    prefect: PrefectServer, record_property: Callable[[str, object], None]
) -> None:
    crowd, dice = crowd_of(PEOPLE), PARAMETERS.dice("holder")
    held = [person for person in crowd if person.publisher == "login"]
    settings = {**PATIENT, "PREFECT_API_URL": prefect.api}
    async with (
        stage(crowd, settings) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        for person in held:
            await accounts.edit(records.database, person.name, {"publisher": "hold"})
        environment = scene.lastword.environment
        async with Service.start(environment) as service:
            await service.until(len(held), _UP)
            assert (await run(scene.lastword)).counts == {"Published": PEOPLE}
            await check_seen(contact, crowd, scene.site)
            service.kill()

        # Until then a run takes it for alive.
        async with asyncio.timeout(2 * DEAD.total_seconds()):
            while await alive_since(records.database):
                await asyncio.sleep(0.5)
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
            await service.until(len(held), _UP)
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
