"""Recent runs as a few lines of text: shares, numbers, durations."""

from collections.abc import Sequence
from datetime import timedelta

from models import Run

WIDTH = 40
"""Characters of the longest bar."""
_HEADING = f"{'UTC':<13}{'█ well  ░ deferred  ✗ failed':<{WIDTH}}  accounts  failed   took"


def chart(runs: Sequence[Run]) -> list[str]:
    """Return a line for each run that has ended, the first one given on top, under a heading.

    What failed is never too little to be seen: where there is any, it has a character.

    Args:
        runs: newest first.
    """
    ended = [run for run in runs if run.ended_at]
    most = max((run.due for run in ended), default=0)
    return [_HEADING, *(_line(run, most) for run in ended)] if ended else []


def _line(run: Run, most: int) -> str:
    took = (run.ended_at or run.started_at) - run.started_at
    bar = "" if run.state == "Crashed" else _bar(run, most)
    said = f"{run.due:>8}  {run.failed:>6}  {_seconds(took):>6}"
    line = f"{run.started_at:%m-%d %H:%M}  {bar:<{WIDTH}}  {said}"
    return line if run.state in {"Completed", "Degraded"} else f"{line}  {run.state}"


def _bar(run: Run, most: int) -> str:
    def wide(number: int) -> int:
        return max(round(number / most * WIDTH), 1) if number else 0

    failed, deferred = wide(run.failed), wide(run.deferred)
    well = wide(run.published + run.unchanged + run.skipped)
    return "█" * min(well, WIDTH - deferred - failed) + "░" * deferred + "✗" * failed


def _seconds(took: timedelta) -> str:
    seconds = max(took.total_seconds(), 0)
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"  # noqa: PLR2004
