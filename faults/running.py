"""Runs in processes of their own, that can be killed at a point."""

import asyncio
import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from demo.command import COMMAND, LastWord
from faults.records import Records

RUN = 300.0
"""Seconds for one run to end, on a machine that is busy with others."""
_LOOK = 0.003
_START = 4.0
_EARLY, _LATE = 0.05, 0.08
"""Shares of the points at which a run still starts, and at which all accounts are done."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in a run.

    Attributes:
        done: accounts that have their outcome by then.
        seconds: that have passed since.
    """

    done: int
    seconds: float

    @classmethod
    def draw(cls, dice: Random, people: int) -> "Point":
        """Return a point anywhere between a process's first breath and its last."""
        share = dice.uniform(-_EARLY, 1 + _LATE)
        if share < 0:
            return cls(0, dice.uniform(0, _START))
        if share > 1:
            return cls(people, dice.uniform(0, 0.5))
        return cls(1 + int(share * (people - 1)), dice.uniform(0, 0.02))

    @property
    def is_early(self) -> bool:
        """Whether nothing is waited for but time."""
        return self.done == 0


async def reach(
    point: Point, records: Records, before: int, lives: Callable[[], bool] = lambda: True
) -> None:
    """Wait for a point in the run after another, as long as that lives."""
    async with asyncio.timeout(RUN):
        while not point.is_early and lives():
            if await records.done_since(before) >= point.done:
                break
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(point.seconds)


@dataclass
class Running:
    """A process of `lastword`, with what it said."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls,
        lastword: LastWord,
        *arguments: str,
        before: Sequence[str] = (),
        within: Callable[[], None] | None = None,
    ) -> "Running":
        """Start a command.

        Args:
            lastword: whose data directory and settings.
            arguments: of the command.
            before: a command that ends by executing ours.
            within: called in the new process first.
        """
        return cls(
            await asyncio.create_subprocess_exec(
                *(*before, str(COMMAND), *arguments),
                env=lastword.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                preexec_fn=within,
            )
        )

    async def reach(self, point: Point, records: Records, before: int) -> bool:
        """Wait for a point; return whether the process still lives by then.

        Args:
            point: the moment.
            records: of its installation.
            before: the newest run before it.
        """
        await reach(point, records, before, lambda: self.process.returncode is None)
        return self.process.returncode is None

    async def kill(self) -> None:
        """Kill it as nothing can be refused: SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()

    async def end(self) -> "Result":
        """Wait for its end."""
        async with asyncio.timeout(RUN):
            output, errors = await self.process.communicate()
        return Result(self.process.returncode or 0, output.decode(), errors.decode())


@dataclass(frozen=True)
class Result:
    """How `lastword run --json` ended."""

    code: int
    output: str
    errors: str
    told: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        told = json.loads(self.output) if self.output.startswith("{") else {}
        object.__setattr__(self, "told", told)

    @property
    def message(self) -> str:
        """What it said at its end, in one line."""
        return str(self.told.get("message") or self.errors.strip())

    @property
    def counts(self) -> dict[str, int]:
        """Outcomes that there were, by kind."""
        counts: dict[str, int] = self.told.get("counts", {})
        return {kind: number for kind, number in counts.items() if number}


async def run(
    lastword: LastWord,
    *arguments: str,
    before: Sequence[str] = (),
    within: Callable[[], None] | None = None,
) -> Result:
    """Run once, to its end; see `Running.start`."""
    command = ("run", "--json", *arguments)
    result = await (await Running.start(lastword, *command, before=before, within=within)).end()
    assert "Traceback" not in result.errors, result.errors
    return result


async def newest_run(records: Records) -> int:
    """Return the id of the newest run; 0: there was none."""
    newest = await records.newest()
    return (newest.id or 0) if newest else 0
