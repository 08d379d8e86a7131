"""Chaos: while thousands of accounts are synced, everything dies and comes back at random.

Several workers take one run after another; their runs, they themselves, Prefect's server,
PostgreSQL and Prosody are killed and restarted; one account of twenty is poison; new posts appear
all the time. It ends well only when, after one run in peace, the ledger adds up, no refused
password was tried again, and a contact sees of each healthy account its newest post.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from bench.chaos.telling import Diary
from deployments.processes import adopt_orphans, end_orphans
from deployments.profile import client_environment

if TYPE_CHECKING:
    from bench.chaos.story import Story

MOST = 30
"""Troubles that are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through chaos as often as there are seeds; return the exit code."""
    parser = ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="decides who dies when (default: by chance)")
    parser.add_argument("--seeds", help="several, one after another: 1..10")
    parser.add_argument("--accounts", type=int, default=5000, help="how many (default 5000)")
    parser.add_argument("--workers", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--faults", type=int, default=12, help="(default 12: each once at least)")
    parser.add_argument("--shard", type=int, default=1000, help="accounts in one (default 1000)")
    parser.add_argument("--most", type=float, default=600, help="seconds at most (default 600)")
    told = parser.parse_args(arguments)
    logging.getLogger("lastword").setLevel(logging.CRITICAL)
    failed = [seed for seed in _seeds(told) if not _chaos(seed, told)]
    if failed and told.seeds:
        sys.stdout.write(f"Not good: seeds {', '.join(map(str, failed))}.\n")
    return 1 if failed else 0


def _seeds(told: Namespace) -> list[int]:
    if told.seeds:
        first, _, last = told.seeds.partition("..")
        return list(range(int(first), int(last or first) + 1))
    # Printed, so that it can be given again.
    return [told.seed if told.seed is not None else Random().randrange(10_000)]  # noqa: S311


def _chaos(seed: int, told: Namespace) -> bool:
    """Live through one seed's chaos, say how it ended, and return whether all is well."""
    diary = Diary()
    directory = Path(mkdtemp(prefix="lastword-chaos-"))
    os.environ.update(client_environment(directory / "home", "http://127.0.0.1:4200/api"))
    from bench.chaos.story import Story  # noqa: PLC0415 (imports Prefect, which reads those)

    adopt_orphans()
    diary.say(f"seed {seed}", "bold")
    settings = {"LASTWORD_SHARD_SIZE": str(told.shard)}
    story = Story(diary, seed, told.accounts, told.workers, told.faults, settings)
    asyncio.run(_live(story, directory, told.most))
    cpu = sum(sum(getrusage(who)[:2]) for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    diary.say(f"{diary.seconds:.0f} s, {cpu:.0f} s of CPU since the beginning")
    for trouble in story.troubles[:MOST]:
        diary.say(f"Not good: {trouble}", "red")
    if story.troubles:
        diary.say(
            f"{len(story.troubles)} troubles; seed {seed}; logs: {directory}/logs", "bold red"
        )
        return False
    shutil.rmtree(directory, ignore_errors=True)
    diary.say(f"Everything adds up, and every view is right (seed {seed}).", "bold green")
    return True


async def _live(story: "Story", directory: Path, most: float) -> None:
    living = asyncio.current_task()
    if living:  # whoever ends us, shall not leave servers behind
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, living.cancel)
    try:
        async with asyncio.timeout(most):
            await story.live(directory)
    except asyncio.CancelledError:
        story.troubles.append("it was interrupted")
    except TimeoutError:
        story.troubles.append(f"it was not over within {most:g} s")
    except Exception as error:  # noqa: BLE001 (told, with the seed and where the logs are)
        traceback.print_exc()
        story.troubles.append(f"{type(error).__name__}: {error}")
    finally:
        await end_orphans()


if __name__ == "__main__":
    sys.exit(main())
