"""Runs of the real flow in one process, by Prefect's real server.

Import it when Prefect's environment is set: Prefect reads that when it is first imported.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Thread
from time import monotonic, sleep

from bench.soak.footprint import Footprint, of_process
from bench.soak.stage import Stage, stage
from flows.run_here import run_here

LOOKS = 50
"""How often one looks at what is held."""
WRITES = 0.1
"""Chance of a new post, for each person and run."""
_GONE = 5.0


def run_flows(
    directory: Path, number: int, accounts: int, told: Callable[[int], object]
) -> tuple[list[int], list[Footprint], Counter[str]]:
    """Run so many times; see `bench.soak.cycles.soak`, but for the clock, which is the real one."""
    luck = Random(1)  # noqa: S311 (no secret)
    looked, seen, outcomes = list[int](), list[Footprint](), Counter[str]()
    every = max(1, number // LOOKS)
    with _stage_beside(directory, accounts) as set_stage:
        for place in range(1, number + 1):
            for person in set_stage.people:
                person.posts += luck.random() < WRITES
            ended = run_here("due", None, force=False, dry_run=False, listener=lambda *_: None)
            outcomes.update(ended.seen)
            if place % every == 0:
                _calm(set_stage)
                looked.append(place)
                seen.append(of_process())
                told(place)
    return looked, seen, outcomes


@contextmanager
def _stage_beside(directory: Path, accounts: int) -> Iterator[Stage]:
    """Set the stage on an event loop in a thread of its own: the flow makes its own loops here."""
    ready: Future[Stage] = Future()
    over = asyncio.Event()

    async def stand() -> None:
        try:
            async with stage(directory, accounts, is_sqlite=True) as made:
                ready.set_result(made)
                await over.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = Thread(target=lambda: runner.run(stand()), name="stage")
        thread.start()
        try:
            yield ready.result()
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()


def _calm(made: Stage) -> None:
    """Wait until our own server of feeds has noticed that nobody is there any more."""
    end = monotonic() + _GONE
    while made.feeds.connections and monotonic() < end:
        sleep(0.01)
