"""An account's turns, judged by what was promised; apart from the code that keeps the promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from bench.world import START, Life

RUN = timedelta(minutes=30)
DAY = timedelta(days=1)
_REFUSED = {"Rejected", "LoginRefused"}
_OF_HOST = {"Deferred", "Stopped"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One run that the account was part of.

    Attributes:
        moment: when the run began.
        outcome: what became of it.
        error: its class, or None.
        was_tried: whether any server heard of it.
    """

    moment: datetime
    outcome: str
    error: str | None
    was_tried: bool


def troubles_of(
    life: Life, turns: Sequence[Turn], *, ends: datetime, asleep: tuple[datetime, datetime]
) -> Iterator[str]:
    """Yield what an account's turns have against the promises, one line for each."""
    if life.is_paused:
        if turns:
            yield f"{life.name} is paused, and had a turn"
        return
    if not turns:
        yield f"{life.name} never had a turn"
        return
    failures = 0
    for one, following in pairwise(turns):
        failures = _failures_after(one, failures)
        yield from _troubles_between(life, one, following, failures, asleep)
    if ends - turns[-1].moment > DAY and turns[-1].error not in _REFUSED:
        yield f"{life.name} was lost at {turns[-1].moment}"
    yield from _late(life, turns, asleep)


def _failures_after(turn: Turn, failures: int) -> int:
    """Return how many times in a row it has failed so that it backs off."""
    if turn.error in _OF_HOST:
        return failures
    return failures + 1 if turn.error and turn.error not in {*_REFUSED, "Gone"} else 0


def _troubles_between(
    life: Life, one: Turn, following: Turn, failures: int, asleep: tuple[datetime, datetime]
) -> Iterator[str]:
    wait = following.moment - one.moment
    least, most = RUN, RUN
    if one.error in _REFUSED:
        most = timedelta.max
        if not any(one.moment < it <= following.moment for it in life.owner_acts):
            yield f"{life.name} was tried at {following.moment} before its owner acted"
    elif one.error == "Gone":
        least = most = DAY
    elif one.error in _OF_HOST:
        most = DAY
    elif failures:
        least = min(2 ** (failures - 1) * RUN, DAY)
        most = min(least * 1.25, DAY)
    slept = one.moment < asleep[1] and following.moment >= asleep[0]
    if wait < least:
        yield f"{life.name} was tried after {wait} at {following.moment}, not {least}"
    if wait > most and not slept:
        yield f"{life.name} was left alone for {wait} from {one.moment}, not {most}"


def _late(life: Life, turns: Sequence[Turn], asleep: tuple[datetime, datetime]) -> Iterator[str]:
    """Yield returns that took longer than a day."""
    for fault in life.faults:
        back = START + timedelta(hours=fault.ends)
        if back > turns[-1].moment:
            continue
        first = next(turn for turn in turns if turn.moment >= back)
        slept = back < asleep[1] and first.moment >= asleep[0]
        if first.moment - back > DAY and not slept:
            yield f"{life.name} came back at {back} and had its turn at {first.moment}"
