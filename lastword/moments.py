"""Moments and spans of time as people read them."""

from datetime import datetime, timedelta

_UNITS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
}


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment is: `3 hours ago`; `never` for None."""
    if moment is None:
        return "never"
    span = now - moment
    return f"{lasting(span)} ago" if span >= timedelta(minutes=1) else "just now"


def lasting(span: timedelta) -> str:
    """Return a span in its largest unit: `3 hours`."""
    for unit, size in _UNITS.items():
        if span >= size:
            number = span // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "less than a minute"


def time_of(moment: datetime, now: datetime) -> str:
    """Return a moment, with its day only where that is another one than today."""
    form = "%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M"
    return f"{moment:{form}} UTC"
