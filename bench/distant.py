"""What does the network cost, where the chat server is 50 ms away as the hosts of posts are?

The same accounts as in `bench.sides`, one after another, on a bare asyncio loop, and by our flow;
but all that users and the chat server tell each other is on its way for 50 ms, there and back.
`operator` is a connection within the house, and has no part in this.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from statistics import median

from bench.figures import Criterion, Figures, Plot, Row, Table, add_options, finish
from bench.sides.turns import Sides, Turn
from bench.stage import A_HOST, LATENCY, stage

_COLUMNS = ["done", "wall, s", "CPU, s", "Prosody, CPU s"]


def measure(accounts: int, some: int, rounds: int) -> Figures:
    """Have the sides take turns.

    Args:
        accounts: how many.
        some: accounts that are synced one after another.
        rounds: turns of the others.
    """
    loops: list[Turn] = []
    flows: list[Turn] = []
    few: list[Turn] = []
    with stage(accounts, distance=LATENCY) as scene:
        sides = Sides(scene, redis="")
        sides.flow()  # everybody's first login is another thing
        for _ in range(rounds):
            loops.append(sides.bare_loop())
            flows.append(sides.flow())
            few.append(sides.flow(changed=0.05))
        slow = sides.one_after_another(some)
    scale = accounts / some
    rows = [
        _row("one after another", [slow], scale),
        _row("flow", flows),
        _row("flow, 5 % changed", few),
        _row("bare loop", loops),
    ]
    times = slow.seconds * scale / median(it.seconds for it in flows)
    return Figures(
        name="distant",
        question="And where the chat server is 50 ms away, too?",
        how=f"{accounts} accounts, all changed, by login on a private Prosody, by PEP, through a"
        f" proxy that keeps what passes for {LATENCY * 500:.0f} ms in each direction; posts on"
        f" {-(-accounts // A_HOST)} hosts that take {LATENCY * 1000:.0f} ms. Turns: {rounds}, of"
        " which medians are told; one after another: 1.",
        tables=[
            Table("way", _COLUMNS, rows, [Plot(f"{accounts} accounts: wall time, s", ["wall, s"])])
        ],
        criteria=[
            Criterion(
                "wall time, one after another to flow, chat 50 ms away",
                *(times, 20, "times"),
                at_least=True,
            )
        ],
        notes=[
            f"One after another: measured with {some} accounts, and scaled up.",
            "A login goes back and forth about ten times before the status is set.",
        ],
    )


def _row(label: str, turns: Sequence[Turn], scale: float = 1) -> Row:
    turn = Turn.median(list(turns))
    return Row(
        label,
        [turn.done, turn.seconds * scale, turn.cpu * scale, turn.servers["Prosody"] * scale],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.distant", description=__doc__)
    parser.add_argument("--accounts", type=int, default=800, help="(default 800)")
    parser.add_argument("--some", type=int, default=30, help="one after another (default 30)")
    parser.add_argument("--rounds", type=int, default=1, help="turns of the others (default 1)")
    add_options(parser)
    told = parser.parse_args(arguments)
    return finish(measure(told.accounts, min(told.some, told.accounts), told.rounds), told)


if __name__ == "__main__":
    sys.exit(main())
