"""Numbers and moments as the report says them."""

from datetime import datetime

from lastword.report.facts import DayFacts, RunFacts

_MINUTE = 60
_FEW = 10


def many(number: float) -> str:
    """Return a whole number: `1,234`."""
    return f"{number:,.0f}"


def span(seconds: float | None) -> str:
    """Return a span of time: `0.8 s`, `12 s`, `14 min`; `unknown` for None."""
    if seconds is None:
        return "unknown"
    if seconds >= _FEW * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    number = f"{seconds:.1f}" if seconds < _FEW else f"{seconds:.0f}"
    return f"{number.removesuffix('.0')} s"


def utc(when: datetime) -> str:
    """Return a moment: `2026-11-25 10:30`. Not how long ago: a page is read later than made."""
    return f"{when:%Y-%m-%d %H:%M}"


def moment(one: RunFacts | DayFacts, *, short: bool = False) -> str:
    """Return which run or day it is; in short as an axis names it."""
    if isinstance(one, DayFacts):
        return f"{one.day:%b %-d}" if short else f"{one.day}"
    return f"{one.started_at:%H:%M}" if short else utc(one.started_at)
