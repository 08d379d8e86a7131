"""Clocks that are wrong for a run or change within one, and a machine that sleeps for two days."""

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest

from demo.prefect_api import PrefectAPI
from demo.stage import free_port, stage
from faults.clock import Clock
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.prefect_server import PrefectServer
from faults.processes import check_none_left, processes_of
from faults.records import Records
from faults.running import Point, Running, newest_run, run

PEOPLE = 16
DEPLOYMENT = "sync-accounts/every-30-minutes"
TWO_DAYS = timedelta(days=2)
_SETTINGS = {
    **PATIENT,
    # So that there is a middle.
    "LASTWORD_LOGINS": "1",
}
_UP = 240.0
_CATCH_UP = 180.0
_CALM = 20.0
"""Seconds that no second run comes, once the first has ended: the worker asks each 2."""


@pytest.mark.xdist_group("prefect")
@pytest.mark.timeout(600)
async def test_a_clock_that_is_set(
    prefect: PrefectServer, record_property: Callable[[str, object], None]
) -> None:
    crowd = crowd_of(PEOPLE)
    async with (
        stage(crowd, {**_SETTINGS, "PREFECT_API_URL": prefect.api}) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        clock = Clock(scene.lastword, scene.directory)
        for before, after in ((0, 2), (2, -1), (-1, 0)):
            write_all(crowd, f"before the clock goes from {before} to {after}")
            clock.set(timedelta(days=before))
            newest = await newest_run(records)
            running = await Running.start(scene.lastword, "run", "--json")
            assert await running.reach(Point(2, 0), records, newest)
            clock.set(timedelta(days=after))
            result = await running.end()
            assert (result.code, result.told["state"]) == (0, "Completed"), result
            assert result.counts == {"Published": PEOPLE}
            await check_seen(contact, crowd, scene.site)

        # One is gone while the clock is far ahead: it is not waited for until then.
        crowd[0].gone = True
        clock.set(timedelta(days=12))
        ahead = await run(scene.lastword)
        assert ahead.counts == {"Unchanged": PEOPLE - 1, "Failed": 1}
        crowd[0].gone = False
        clock.set(timedelta())
        write_all(crowd, "the clock is right again")
        right = await run(scene.lastword)
        assert right.counts == {"Published": PEOPLE}
        await check_seen(contact, crowd, scene.site)
        assert max(contact.told.values()) == 1
        assert await records.troubles() == []
    record_property("told", "set by two days, back and forth, in runs: nobody lost or told twice")


@pytest.mark.xdist_group("up")
@pytest.mark.timeout(900)
async def test_two_days_asleep(record_property: Callable[[str, object], None]) -> None:
    crowd, port = crowd_of(PEOPLE), free_port()
    async with (
        stage(crowd, _SETTINGS) as scene,
        counting(scene) as contact,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
    ):
        clock = Clock(scene.lastword, scene.directory)
        url = f"http://127.0.0.1:{port}/api"
        async with scene.lastword.up(port, _UP):
            async with PrefectAPI(url) as api:
                laid_out = await api.scheduled(DEPLOYMENT, _UP)
            # The half hour may come in this very moment.
            before = await newest_run(records)
            asleep = processes_of(scene.lastword.data_dir)
            for process in asleep:
                process.send_signal(signal.SIGSTOP)
            clock.set(TWO_DAYS)
            await asyncio.sleep(1)
            for process in asleep:
                process.send_signal(signal.SIGCONT)
            woken = monotonic()
            async with asyncio.timeout(_CATCH_UP):
                while not (newest := await records.newest()) or newest.ended_at is None:
                    await asyncio.sleep(0.2)
            caught_up = monotonic() - woken
            await check_seen(contact, crowd, scene.site)
            await asyncio.sleep(_CALM)
            assert await newest_run(records) == before + 1, "one run catches up, and no more"
            assert newest.published == PEOPLE
            assert max(contact.told.values()) == 1
            async with PrefectAPI(url) as api:  # anew: a token for CSRF is good for an hour
                assert await api.scheduled(DEPLOYMENT, _UP)
            assert await records.troubles() == []
        await check_none_left(scene.lastword.data_dir)
    record_property(
        "told",
        f"{len(asleep)} processes asleep, {laid_out} runs laid out: one run, {caught_up:.0f} s"
        " after waking, and none for the rest",
    )
