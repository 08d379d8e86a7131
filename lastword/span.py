"""Spans of time as people type them: `30d`, `12h`, `90m`, `2w`, `45s`."""

import re
from datetime import timedelta

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_UNITS["w"] = timedelta(weeks=1)
_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII | re.IGNORECASE)
_LONGEST = timedelta(days=36_500)


def parse_span(text: str) -> timedelta:
    """Return the span that a person typed.

    Raises:
        ValueError: it is none; the message says what one looks like.
    """
    match = _SPAN.fullmatch(text.strip())
    span = int(match[1]) * _UNITS[match[2].lower()] if match else timedelta()
    if not timedelta() < span <= _LONGEST:
        raise ValueError(f"{text[:32]!r} is no span of time: it looks like 30d, 12h or 90m")
    return span


def format_span(span: timedelta) -> str:
    """Return a span as a person would type it, in the largest unit that fits."""
    for unit in "dhms":
        number, rest = divmod(span, _UNITS[unit])
        if not rest:
            return f"{number}{unit}"
    return f"{max(1, round(span / _UNITS['s']))}s"
