"""Runs, one after another, by Prefect's API; and the burial of runs whose process is gone.

Prefect learns of a run that died with its worker by the silence of its heart: the automation
`zombie runs` of `lastword alerts install` closes it after nine minutes. Here the same is done after
seconds, and as there by nothing but the state of the run.
"""

import asyncio
from collections import Counter
from time import monotonic
from typing import Any

import httpx
from sqlmodel import col, select

from bench.chaos.parts import flow_runs
from bench.chaos.telling import Diary
from demo.prefect_api import FINAL, PrefectAPI, State
from deployments.profile import DEPLOYMENT
from models import Run
from models.database import Database
from models.errors import DatabaseTrouble

LOOK = 1.0
"""Seconds from one look at a run to the next."""
DEAD = 8.0
"""Seconds without a process, and a run that is under way is taken for dead."""
AWAY = 120.0
"""Seconds that Prefect's server may be away, its start on a busy machine included."""
NONE_BEGINS = 90.0
"""Seconds without any run that begins, and something keeps them all from it."""


class Stuck(Exception):
    """Runs do not begin, or do not end, any more."""


class PatientAPI(PrefectAPI):
    """Asks again for as long as Prefect's server is away."""

    async def call(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401
        end = monotonic() + AWAY
        while True:
            try:
                return await super().call(method, path, **arguments)
            except httpx.HTTPError as error:
                is_away = (
                    not isinstance(error, httpx.HTTPStatusError) or error.response.is_server_error
                )
                if not is_away or monotonic() > end:
                    raise
                await asyncio.sleep(LOOK)


class Conductor:
    """Starts runs of the deployment and follows each to its end.

    Args:
        api: Prefect's.
        diary: told of each end.

    Attributes:
        ended: runs by the name of their state.
    """

    def __init__(self, api: PatientAPI, diary: Diary) -> None:
        self._api = api
        self._diary = diary
        self._unseen: dict[str, float] = {}
        self.ended: Counter[str] = Counter()

    async def go_on(self, over: asyncio.Event) -> None:
        """Run again and again until it is over, and wait for the last run's end."""
        while not over.is_set():
            await self.run()

    async def run(self, **parameters: Any) -> State:  # noqa: ANN401 (the flow's)
        """Run once and return the final state.

        Raises:
            Stuck: no run could begin, for longer than that could be by what has been done.
        """
        end = monotonic() + NONE_BEGINS
        while True:
            flow_run = await self._api.start(DEPLOYMENT, parameters)
            state = await self._end_of(flow_run)
            if state.type != "CANCELLED":
                break
            # Another one was under way: the slot is free once that has ended, or was buried.
            self.ended["Cancelled"] += 1
            if monotonic() > end:
                raise Stuck(f"no run begins any more: {state.message}")
            await asyncio.sleep(LOOK)
        self.ended[state.name] += 1
        self._diary.say(f"run {flow_run[-6:]} ended {state.name}: {state.message}")
        return state

    async def _end_of(self, flow_run: str) -> State:
        while True:
            state = await self._api.state(flow_run)
            if state.type in FINAL:
                return state
            await self._bury()
            await asyncio.sleep(LOOK)

    async def _bury(self) -> None:
        """Close what is under way by Prefect's word, and has had no process for a while."""
        alive = flow_runs()
        under_way = [it for it in await self._api.under_way() if it not in alive]
        moment = monotonic()
        self._unseen = {it: self._unseen.get(it, moment) for it in under_way}
        for flow_run, since in self._unseen.items():
            if moment - since > DEAD:
                await self._api.crash(flow_run, "its process has died")
                self._diary.say(f"run {flow_run[-6:]} had died with its worker: closed")


async def is_at_work(database: Database) -> bool:
    """Tell whether a run has begun, by our own tables, and some process works on it."""
    try:
        async with asyncio.timeout(LOOK), database.session() as session:
            newest = (await session.exec(select(Run).order_by(col(Run.id).desc()).limit(1))).first()
    except (DatabaseTrouble, TimeoutError):  # restarted just now
        return False
    return newest is not None and newest.ended_at is None and bool(flow_runs())
