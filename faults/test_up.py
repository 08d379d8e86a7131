"""`lastword up`: its processes killed at random points, and all of it asleep for two days."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from time import monotonic, time

import psutil
import pytest

from demo.people import Person
from demo.prefect_api import PrefectAPI
from demo.stage import Stage, free_port, stage
from faults.clock import Clock
from faults.counting import Counting, counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.processes import check_none_left, processes_of, the_one
from faults.records import Records
from faults.running import Point, newest_run, reach

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(2400)]

PEOPLE = 16
DEPLOYMENT = "sync-accounts/every-30-minutes"
_UP = 240.0
_RUN = 180.0
_CALM = 20.0
"""Seconds that no second run comes, once the first has ended: the worker asks each 2."""
_SETTINGS = {
    **PATIENT,
    # So that there is a middle.
    "LASTWORD_LOGINS": "1",
}
_COMMANDS = {"the worker": ("worker", "start"), "Prefect's server": ("server", "start")}
_FLOW = ("prefect.engine",)


@dataclass
class World:
    """One installation, started again after each death."""

    scene: Stage
    crowd: Sequence[Person]
    records: Records
    contact: Counting
    clock: Clock
    dice: Random

    @asynccontextmanager
    async def up(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
        """Run `lastword up` for the length of the block; nothing of it may be left then."""
        port = free_port()
        async with self.scene.lastword.up(port, _UP) as process:
            yield process, f"http://127.0.0.1:{port}/api"
        await check_none_left(self.scene.lastword.data_dir)

    async def kill(self, api: PrefectAPI, victim: str, up: int) -> tuple[str, str]:
        """Start a run, and kill somebody in it; return the flow run, and what was done."""
        write_all(self.crowd, f"before the end of {victim}")
        before = await newest_run(self.records)
        point = Point(self.dice.randrange(1, PEOPLE * 3 // 4), self.dice.uniform(0, 0.05))
        flow_run = await api.start(DEPLOYMENT)
        await reach(point, self.records, before)
        if victim == "all of it":
            psutil.Process(up).kill()
        else:
            the_one(self.scene.lastword.data_dir, *_COMMANDS.get(victim, _FLOW)).kill()
        return flow_run, f"{victim} with {await self.records.done_since(before)} done"

    async def check_run(self, api: PrefectAPI) -> None:
        """Run once more: the slot is free, and everybody is as they should be."""
        state = await api.end(await api.start(DEPLOYMENT), _RUN)
        assert (state.type, state.name) == ("COMPLETED", "Completed"), state
        await check_seen(self.contact, self.crowd, self.scene.site)
        assert await self.records.troubles() == []


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An installation with a clock of ours."""
    crowd = crowd_of(PEOPLE)
    async with (
        stage(crowd, _SETTINGS) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        clock = Clock(scene.lastword, scene.directory)
        yield World(scene, crowd, records, contact, clock, PARAMETERS.dice("up"))


async def test_killed_again_and_again_then_asleep(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    victims = [*_COMMANDS, "all of it"]
    world.dice.shuffle(victims)
    told = []
    for number, victim in enumerate(victims if PARAMETERS.is_full else victims[:2]):
        async with world.up() as (process, url), PrefectAPI(url) as api:
            await api.pause(DEPLOYMENT)
            if number == 0:
                killed, said = await world.kill(api, "the flow", process.pid)
                told.append(said)
                # Prefect hears it from the worker.
                assert (await api.end(killed, _RUN)).type == "CRASHED"
            await world.check_run(api)
            told.append((await world.kill(api, victim, process.pid))[1])
            code = await asyncio.wait_for(process.wait(), _RUN)
            assert code == (-signal.SIGKILL if victim == "all of it" else 1)
    async with world.up() as (_, url):
        async with PrefectAPI(url) as api:
            await api.pause(DEPLOYMENT)
            await world.check_run(api)
        told.append(await _sleep_for_two_days(world, url))
    record_property("told", "; ".join(told))


async def _sleep_for_two_days(world: World, url: str) -> str:
    """Let all processes sleep, and see one run catch up; return what there was to see."""
    async with PrefectAPI(url) as api:
        await api.resume(DEPLOYMENT)
        laid_out = await api.scheduled(DEPLOYMENT, _UP)
    write_all(world.crowd, "while it slept")
    before = await newest_run(world.records)
    asleep = processes_of(world.scene.lastword.data_dir)
    for process in asleep:
        process.send_signal(signal.SIGSTOP)
    # Ten minutes after a half hour, three after a run's time: nothing is due but what was missed.
    world.clock.set(timedelta(days=2, seconds=600 - time() % 1800))
    await asyncio.sleep(1)
    for process in asleep:
        process.send_signal(signal.SIGCONT)
    woken = monotonic()
    async with asyncio.timeout(_RUN):
        while not (newest := await world.records.newest()) or newest.id == before:
            await asyncio.sleep(0.2)
        caught_up = monotonic() - woken
        await check_seen(world.contact, world.crowd, world.scene.site)
    await asyncio.sleep(_CALM)
    newest = await world.records.newest()
    assert newest
    assert newest.id == before + 1, "one run catches up, and no more"
    assert newest.published == PEOPLE
    posts = {(person.name, person.expected or "") for person in world.crowd}
    assert {world.contact.told[post] for post in posts} == {1}
    async with PrefectAPI(url) as api:  # anew: a token for CSRF is good for an hour
        assert await api.scheduled(DEPLOYMENT, _UP)
    assert await world.records.troubles() == []
    return (
        f"{len(asleep)} processes two days asleep, {laid_out} runs laid out: one run,"
        f" {caught_up:.0f} s after waking, and none for the rest"
    )
