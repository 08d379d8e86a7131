"""Networks that are slow, lose packets, go dead or are cut: what is not done is done next time."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest

from demo.people import Person
from demo.stage import Stage, stage
from faults.counting import Counting, counting
from faults.crowd import check_seen, crowd_of, write_all
from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer
from faults.records import Records
from faults.running import Point, Result, Running, newest_run, run
from faults.wire import Proxies, Wire

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(600)]

PEOPLE = 24
DEADLINE = 4
"""Seconds that one answer is waited for."""
_BEST: dict[str, type[Proxies]] = {"namespaces": Wire} if Wire.is_allowed() else {}
_NETS = {**_BEST, "proxies": Proxies} if PARAMETERS.is_full else _BEST or {"proxies": Proxies}
_MAY_BE = {None, "Transient", "Deferred"}
"""What an account may end by: what passes by itself."""


@dataclass
class World:
    """A stage whose servers are behind a network of ours."""

    wire: Proxies
    scene: Stage
    crowd: Sequence[Person]
    records: Records
    contact: Counting

    async def run(self, then: Callable[[], object] = lambda: None, seconds: float = 0) -> Result:
        """Let everybody write, run, and do something when some are done."""
        before = await newest_run(self.records)
        write_all(self.crowd, f"before run {before + 1}")
        lastword = self.scene.lastword
        running = await Running.start(lastword, "run", "--json", before=self.wire.before)
        some = 1 + before % 3
        assert await running.reach(Point(some, seconds), self.records, before)
        then()
        result = await running.end()
        assert "Traceback" not in result.errors
        ends = {ended.error for ended in (await self.records.accounts()).values()}
        assert ends <= _MAY_BE, ends
        assert sum(result.counts.values()) == result.told["due"]
        return result

    async def check_next(self) -> None:
        """Run again; everybody is as they should be."""
        result = await run(self.scene.lastword, before=self.wire.before)
        assert (result.code, result.told["state"]) == (0, "Completed"), result
        assert result.told["due"] == PEOPLE
        await check_seen(self.contact, self.crowd, self.scene.site)
        assert await self.records.troubles() == []


@pytest.fixture(params=_NETS)
async def world(request: pytest.FixtureRequest, prefect: PrefectServer) -> AsyncIterator[World]:
    """A world behind namespaces where we may make them, and one behind proxies."""
    settings = {
        "PREFECT_API_URL": prefect.api,
        "LASTWORD_HTTP_DEADLINE": str(DEADLINE),
        "LASTWORD_XMPP_DEADLINE": str(DEADLINE),
        "LASTWORD_XMPP_ANSWER_DEADLINE": str(DEADLINE),
        "LASTWORD_RETRY_SECONDS": "1",
        # So that there is a middle.
        "LASTWORD_LOGINS": "1",
    }
    crowd = crowd_of(PEOPLE)
    async with (
        stage(crowd, settings) as scene,
        _NETS[request.param](scene) as wire,
        Records.of(f"sqlite:///{scene.lastword.data_dir}/lastword.db") as records,
        counting(scene) as contact,
    ):
        yield World(wire, scene, crowd, records, contact)


async def test_whatever_happens_to_it(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    wire = world.wire
    wire.impair(delay=0.1, loss=0.03)
    slow = await world.run()
    assert slow.counts == {"Published": PEOPLE}, slow
    wire.impair(delay=0, loss=0)

    dead = await world.run(wire.unplug)
    wire.plug()
    await world.check_next()

    cut = await world.run(wire.cut)
    wire.mend()
    await world.check_next()

    for result in (dead, cut):
        assert result.counts.get("Published", 0) < PEOPLE, "it came too late"
    ended = {"slow": slow, "dead": dead, "cut": cut}
    told = "; ".join(f"{what}: {result.told['message']}" for what, result in ended.items())
    record_property("told", f"{wire.what}. {told}")
