"""What goes wrong: processes are killed and services restarted, in an order that dice decide."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from bench.chaos.parts import flow_runs
from bench.chaos.world import World


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        words: what is done, for people.
        happens: does it, and repairs what an operator's machine would repair by itself.
    """

    words: str
    happens: Callable[[World, Random], Awaitable[str]]


async def _kill_a_run(_: World, luck: Random) -> str:
    if not (alive := sorted(flow_runs().items())):
        return "there was none"
    flow_run, process = luck.choice(alive)
    process.kill()
    return flow_run[-6:]


async def _kill_a_worker(world: World, luck: Random) -> str:
    worker = luck.choice(world.workers)
    worker.kill()
    worker.start()
    return worker.name


async def _kill_a_machine(world: World, luck: Random) -> str:
    # Rather one that has something to do.
    busy = [worker for worker in world.workers if worker.started()]
    worker = luck.choice(busy or world.workers)
    worker.kill(all_of_it=True)
    worker.start()
    return worker.name


async def _restart_prefect(world: World, luck: Random) -> str:
    await asyncio.to_thread(world.server.end)
    return await _start_prefect(world, luck)


async def _kill_prefect(world: World, luck: Random) -> str:
    world.server.kill(all_of_it=True)
    return await _start_prefect(world, luck)


async def _start_prefect(world: World, luck: Random) -> str:
    seconds = luck.uniform(0, 2)
    await asyncio.sleep(seconds)
    world.server.start()
    return f"away for {seconds:.1f} s and its start"


async def _restart_postgresql(world: World, luck: Random) -> str:
    return await _postgresql(world, luck, crash=False)


async def _crash_postgresql(world: World, luck: Random) -> str:
    return await _postgresql(world, luck, crash=True)


async def _postgresql(world: World, luck: Random, *, crash: bool) -> str:
    seconds = luck.uniform(0, 3)
    await asyncio.to_thread(world.postgresql.stop, crash=crash)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.postgresql.start)
    return f"away for {seconds:.1f} s"


async def _restart_prosody(world: World, luck: Random) -> str:
    return await _prosody(world, luck, kill=False)


async def _kill_prosody(world: World, luck: Random) -> str:
    return await _prosody(world, luck, kill=True)


async def _prosody(world: World, luck: Random, *, kill: bool) -> str:
    seconds = luck.uniform(0, 3)
    await asyncio.to_thread(world.prosody.end, kill=kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.prosody.start_again)
    return f"away for {seconds:.1f} s"


FAULTS = (
    Fault("kill -9: the process of a run", _kill_a_run),
    Fault("kill -9: a worker; its run goes on", _kill_a_worker),
    Fault("kill -9: a worker, and all that it started", _kill_a_machine),
    Fault("restart: Prefect's server", _restart_prefect),
    Fault("kill -9: Prefect's server", _kill_prefect),
    Fault("restart: PostgreSQL", _restart_postgresql),
    Fault("crash: PostgreSQL", _crash_postgresql),
    Fault("restart: Prosody", _restart_prosody),
    Fault("kill -9: Prosody", _kill_prosody),
)


LAST = FAULTS[0]
"""Comes at the end, so that what the run in peace has to repair is always a run that died."""


def dice(seed: str) -> Iterator[tuple[float, Fault, Random]]:
    """Yield faults without end, each with the seconds to wait before it, and luck of its own.

    All of them come, in an order by chance, before one comes again; runs are killed most often.

    Args:
        seed: decides all of it, whatever the faults make of their luck.
    """
    luck = Random(seed)  # noqa: S311 (no secret)
    while True:
        bag: Sequence[Fault] = (*FAULTS, *FAULTS[:3])
        for fault in luck.sample(bag, len(bag)):
            yield luck.uniform(2, 10), fault, Random(luck.random())  # noqa: S311
