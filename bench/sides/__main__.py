"""What does it cost to have Prefect track each account, beside other ways to do the same work?

Each way is a process of its own, measured from its start to its end, over the same accounts on a
real Prosody and hosts that take 50 ms to answer, all of them with new posts: one after another,
as the original did; a bare asyncio loop, which is the limit; our flow; Celery; and Prefect's own
thread runner. They take turns, and medians count. Then the flow with few new posts and with
none, and by `operator`. Exit code 1 where it does not hold what was promised.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.figures import add_options, finish
from bench.proxy import proxy_beside
from bench.redis import redis_server
from bench.sides.found import Found
from bench.sides.turns import Sides, Turn
from bench.stage import DOMAIN, PUBLISHERS, stage
from flows.syncing import WINDOW

# Of Celery's pools the one that serves this work best: see bench.sides.celery_app.
POOL = "threads"
FEW = 0.05


def measure(
    accounts: int, some: int, rounds: int, *, threads: int | None, data: Path | None
) -> Found:
    """Have all sides take their turns.

    Args:
        accounts: how many.
        some: accounts that are synced one after another.
        rounds: turns of each side, but for the two slowest, which have one.
        threads: of Prefect's thread runner; None: as it comes.
        data: see `stage`.
    """
    found = Found(accounts, some, rounds)
    with redis_server() as (redis, process), stage(accounts, data=data) as scene:
        scene.servers["Redis"] = process
        sides = Sides(scene, redis)
        # Everybody's first login is another thing.
        for publisher in PUBLISHERS:
            sides.flow(publisher)
        for _ in range(rounds):
            _note(found, "bare loop", sides.bare_loop())
            _note(found, "flow", sides.flow())
            _note(found, "Celery", sides.celery(POOL, WINDOW))
            for name, share in (("few", FEW), ("none", 0.0)):
                with proxy_beside(scene.prosody.address) as proxy:
                    at = f"{proxy.address[0]}:{proxy.address[1]}"
                    through = {"LASTWORD_XMPP_SERVERS": json.dumps({DOMAIN: at})}
                    _note(found, name, sides.flow(changed=share, more=through))
                found.connections[name].append(len(proxy.arrivals))
            _note(found, "operator", sides.flow("operator"))
        _note(found, "thread runner", sides.thread_runner(threads))
        _note(found, "one after another", sides.one_after_another(some))
    return found


def _note(found: Found, name: str, turn: Turn) -> None:
    found.turns[name].append(turn)
    said = f"{name}: {turn.seconds:.1f} s, {turn.cpu:.1f} s of CPU, {turn.memory:.0f} MB"
    Console(stderr=True, highlight=False).print(said, style="dim")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.sides", description=__doc__)
    parser.add_argument("--accounts", type=int, default=800, help="(default 800)")
    parser.add_argument("--some", type=int, default=60, help="one after another (default 60)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each (default 2)")
    parser.add_argument("--data", type=Path, help="where everybody keeps their data")
    parser.add_argument(
        "--threads", type=int, default=0, help="of Prefect's own runner (default: as it comes)"
    )
    add_options(parser)
    told = parser.parse_args(arguments)
    some = min(told.some, told.accounts)
    found = measure(told.accounts, some, told.rounds, threads=told.threads or None, data=told.data)
    return finish(found.figures(), told)


if __name__ == "__main__":
    sys.exit(main())
