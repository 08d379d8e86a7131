"""The course of a run in shards: sends them off, sees how they do, sends off again what died.

What counts is our own tables and the locks: a shard whose lock is held is alive, whatever Prefect
has heard of it, and one whose lock is free has ended or died, for the system lets go of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import Protocol

from sqlmodel import select

from lastword import shards
from lastword.errors import Systemic
from lastword.shard_work import lock_of
from models import Run, Shard, ShardState
from models.database import Database
from models.lock import is_held

RETRIES = 2
"""So often a shard that ended without all of its outcomes is sent off again."""
AGAIN = 5.0
"""Seconds before the first time; before the second, twice as many."""
BEGINS = 180.0
"""Seconds that a flow run may take from when a worker takes it until it is at work."""
TAKEN = 180.0
"""Seconds that flow runs may wait for a worker while no shard is at work."""


class Seen(Enum):
    """How a shard's flow run stands at Prefect."""

    SCHEDULED = auto()
    """No worker has taken it."""
    BEGUN = auto()
    ENDED = auto()
    CANCELLED = auto()


@dataclass(frozen=True, slots=True)
class Sight:
    """A flow run as Prefect knows it, and what its state says."""

    seen: Seen
    message: str = ""


_UNKNOWN = Sight(Seen.ENDED, "Prefect does not know its flow run")


class FlowRuns(Protocol):
    """The shards' flow runs at Prefect."""

    async def start(self, number: int, attempt: int) -> str:
        """Have a flow run made for a shard, one for each attempt; return its id."""
        ...

    async def seen(self, flow_run_ids: Collection[str]) -> Mapping[str, Sight]:
        """Return how these stand, those that are known."""
        ...

    async def crashed(self, flow_run_id: str, why: str) -> None:
        """Note that its process has died: nobody else would."""
        ...

    async def cancel(self, flow_run_ids: Collection[str], why: str) -> None:
        """Have these end, wherever they are."""
        ...


@dataclass
class Course:
    """Of one run: `step` again and again, until it says that all is over.

    Attributes:
        database: ours.
        run: as it began.
        at_once: so many shards may be sent off at a time.
        flow_runs: theirs.
        trouble: why the run could not go on; None: it could.
    """

    database: Database
    run: Run
    at_once: int
    flow_runs: FlowRuns
    trouble: Systemic | None = None
    _not_before: dict[int, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)
    _life: float = field(default_factory=monotonic)
    """When a shard was last seen at work."""

    async def step(self) -> list[Shard]:
        """Look at all shards and do what is to be done now; return them as they then are.

        Raises:
            Systemic: the run is not ours any more.
            DatabaseTrouble: our own database cannot be asked.
            Exception: Prefect's API cannot be asked; nothing is lost, the next step goes on.
        """
        await self._check()
        under_way = [it for it in await self.shards() if it.flow_run_id and _is_out(it)]
        seen = await self.flow_runs.seen([str(it.flow_run_id) for it in under_way])
        for shard in under_way:
            await self._look(shard, seen.get(str(shard.flow_run_id), _UNKNOWN))
        if monotonic() - self._life > TAKEN and any(map(_is_out, await self.shards())):
            await self._give_up()
        await self._send_off()
        return await self.shards()

    async def shards(self) -> list[Shard]:
        """Return the shards as they are."""
        return await shards.shards_of(self.database, self.run.id or 0)

    async def cancel(self, why: str) -> None:
        """Have all shards end that are not over; those at work notice it by themselves, too."""
        await self._end_all(ShardState.CANCELLED, why)

    async def _check(self) -> None:
        """Check that no other run has taken us for dead and closed our row."""
        async with self.database.session() as session:
            run = await session.get(Run, self.run.id)
        if run is None or run.ended_at:
            raise Systemic("another run has begun, and closed this one: look at its flow run")

    async def _look(self, shard: Shard, sight: Sight) -> None:
        seen = sight.seen
        if shard.state is ShardState.RUNNING:
            if await is_held(self.database, lock_of(shard.number)):
                self._life = monotonic()
                return
            # It may have ended since we read its row: then the row says so by now.
            shard = await self._again(shard)
            if shard.ended_at:
                await self._ended(shard, seen, shard.reason)
            elif seen is Seen.ENDED:
                await self._ended(shard, seen, sight.message or "it failed: read its log")
            else:
                await self._died(shard, seen, "its process died")
        elif seen in {Seen.ENDED, Seen.CANCELLED}:
            shard = await self._again(shard)
            if shard.state is ShardState.SENT:  # else it has just begun, or even ended
                await self._ended(shard, seen, sight.message or "it never began: read its log")
        elif seen is Seen.BEGUN:
            since = self._begun.setdefault(str(shard.flow_run_id), monotonic())
            if monotonic() - since > BEGINS:
                await self._died(shard, seen, "its process never began")
            else:
                self._life = monotonic()

    async def _died(self, shard: Shard, seen: Seen, why: str) -> None:
        if seen is Seen.BEGUN:
            await self.flow_runs.crashed(str(shard.flow_run_id), why)
        await self._ended(shard, seen, why)

    async def _ended(self, shard: Shard, seen: Seen, why: str) -> None:
        self._life = monotonic()
        if not (number := await shards.left(self.database, self.run, shard)):
            await self._set(shard, state=ShardState.DONE, reason=why)
            return
        why = f"{why}; {number} of its accounts are without outcome"
        if seen is Seen.CANCELLED:
            await self._set(shard, state=ShardState.CANCELLED, reason=f"cancelled; {why}")
        elif shard.attempts > RETRIES:
            await self._set(shard, state=ShardState.GIVEN_UP, reason=why)
        else:
            self._not_before[shard.number] = monotonic() + AGAIN * shard.attempts
            await self._set(shard, state=ShardState.WAITING, reason=why)

    async def _send_off(self) -> None:
        present = await self.shards()
        places = self.at_once - sum(map(_is_out, present))
        ready = [it for it in present if it.state is ShardState.WAITING and self._may_go(it)]
        for shard in ready[: max(places, 0)]:
            # First, for its process may be quicker than we are.
            attempt = shard.attempts + 1
            await self._set(shard, state=ShardState.SENT, attempts=attempt, flow_run_id=None)
            try:
                flow_run_id = await self.flow_runs.start(shard.number, attempt)
            except Exception:
                sent = await self._again(shard)
                if sent.state is ShardState.SENT:  # else its process has begun all the same
                    await self._set(sent, state=ShardState.WAITING, attempts=shard.attempts)
                raise
            async with self.database.writing() as session:
                row = await session.get_one(Shard, (shard.run_id, shard.number))
                row.flow_run_id = row.flow_run_id or flow_run_id

    def _may_go(self, shard: Shard) -> bool:
        return monotonic() >= self._not_before.get(shard.number, 0)

    async def _give_up(self) -> None:
        """End a run that nobody works on: the next one repairs what it leaves."""
        self.trouble = Systemic(
            f"no worker has taken a shard for {TAKEN / 60:g} minutes: is there a worker with a free"
            " place on the work pool? The run itself takes one (docs/operating.md)"
        )
        await self._end_all(ShardState.GIVEN_UP, "no worker took it in time")

    async def _end_all(self, state: ShardState, why: str) -> None:
        of_run = select(Shard).where(Shard.run_id == self.run.id).with_for_update()
        async with self.database.writing() as session:
            out = [it for it in await session.exec(of_run) if not it.state.is_over]
            for shard in out:
                shard.state, shard.reason = state, why
        await self.flow_runs.cancel([it.flow_run_id for it in out if it.flow_run_id], why)

    async def _again(self, shard: Shard) -> Shard:
        async with self.database.session() as session:
            return await session.get_one(Shard, (shard.run_id, shard.number))

    async def _set(self, shard: Shard, **values: object) -> None:
        """Change a shard's row, unless its process was quicker: then the next step looks anew."""
        async with self.database.writing() as session:
            row = await session.get_one(Shard, (shard.run_id, shard.number), with_for_update=True)
            if (row.state, row.flow_run_id) == (shard.state, shard.flow_run_id):
                for name, value in values.items():
                    setattr(row, name, value)


def is_over(present: Sequence[Shard]) -> bool:
    """Tell whether nothing more is to be done about any of these shards."""
    return all(shard.state.is_over for shard in present)


def _is_out(shard: Shard) -> bool:
    return shard.state in {ShardState.SENT, ShardState.RUNNING}
