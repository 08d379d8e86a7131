"""Clocks that are wrong for a run, or are set within one: nobody is lost, nobody told twice."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from demo.stage import stage
from faults.clock import Clock
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.prefect_server import PrefectServer
from faults.records import Records
from faults.running import Point, Running, newest_run, run

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(600)]

PEOPLE = 16
_SETTINGS = {
    **PATIENT,
    # So that there is a middle.
    "LASTWORD_LOGINS": "1",
}


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
        for before, after in ((0, 2), (2, -1)):
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
