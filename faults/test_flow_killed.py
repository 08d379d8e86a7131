"""Runs killed at random points: the next run puts everything right, and tells nobody too often."""

import logging
from collections import Counter
from collections.abc import Callable

import pytest

from demo.stage import stage
from faults.counting import counting
from faults.crowd import PATIENT, check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer
from faults.records import Records
from faults.running import Point, Running, newest_run, run

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.xdist_group("runs"), pytest.mark.timeout(6 * 3600)]

_TOO_LATE = 10
MOST = 2
"""Notifications of one status: the one that is due, and one more."""


def _share(database: str) -> int:
    """Return how many of the points are tried on a database; SQLite gets the odd one."""
    half, odd = divmod(PARAMETERS.points, 2)
    return half + odd if database == "sqlite" else half


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_killed_at_random_points(
    kind: str,
    prefect: PrefectServer,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    dice, crowd = PARAMETERS.dice(f"kills on {kind}"), crowd_of(PARAMETERS.people)
    settings = {**PATIENT, "PREFECT_API_URL": prefect.api}
    if kind == "postgresql":
        settings["LASTWORD_DATABASE_URL"] = request.getfixturevalue("postgresql_url")
    seen: Counter[str] = Counter()
    async with stage(crowd, settings) as scene, counting(scene) as contact:
        default = f"sqlite:///{scene.lastword.data_dir}/lastword.db"
        async with Records.of(settings.get("LASTWORD_DATABASE_URL", default)) as records:
            number = 0
            while number < _share(kind):
                write_all(crowd, f"news of round {number}, draw {seen['too late']}")
                contact.told.clear()
                before = await newest_run(records)
                point = Point.draw(dice, len(crowd))
                victim = await Running.start(scene.lastword, "run")
                if not await victim.reach(point, records, before):
                    said = (await victim.end()).errors
                    seen["too late"] += 1
                    assert seen["too late"] <= _TOO_LATE, said
                    continue
                await victim.kill()
                number += 1
                killed = await records.done_since(before)
                began = await newest_run(records) > before

                result = await run(scene.lastword)
                said = f"point {number}, {point}, {killed} done: {result.output}{result.errors}"
                assert (result.code, result.told["state"]) == (0, "Completed"), said
                assert result.told["due"] == len(crowd), said
                assert set(result.counts) <= {"Published", "Unchanged"}, said
                try:
                    await check_seen(contact, crowd, scene.site)
                except TimeoutError as error:
                    ended = (await records.accounts())[str(error).partition(" ")[0]]
                    raise AssertionError(f"{error}; {ended}; {said}") from None
                assert [it for it, times in contact.told.items() if times > MOST] == [], said
                assert await records.troubles() == [], said
                log.info("point %s: %s, %s done; then %s", number, point, killed, result.counts)
                seen["points"] += 1
                seen["before the run had begun"] += not began
                seen["accounts done by then"] += killed
                seen["set but not recorded"] += result.counts.get("Unchanged", 0) - killed
                seen["told twice"] += sum(times > 1 for times in contact.told.values())
    record_property("told", ", ".join(f"{what}: {many}" for what, many in seen.items()))
