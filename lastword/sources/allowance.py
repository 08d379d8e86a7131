"""How many requests a host still allows: by its own words, or by what is known of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lastword.errors import Deferred
from models.types import now

LONGEST_WAIT = timedelta(days=1)
_EPOCH = 10**9  # a number as large as this is a moment, a smaller one a span
_MILLISECONDS = 10**12  # and one as large as this counts in them
_PREFIXES = ("x-ratelimit", "x-rate-limit", "ratelimit")
_MOST = 10**9
_SAME_WINDOW = timedelta(seconds=2)
"""Told in whole seconds from now, one and the same moment moves to and fro by so much."""
_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a source assumes that a host grants, until the host says otherwise.

    Attributes:
        requests: so many,
        seconds: in so long a time.
    """

    requests: int
    seconds: float


class Meter:
    """Counts one kind of requests to one host.

    Args:
        place: the host, as messages call it.
        allowance: what is assumed; None: nothing, the host's own words alone count.
    """

    def __init__(self, place: str, allowance: Allowance | None) -> None:
        self._place = place
        self._limit = allowance.requests if allowance else None
        self._window = timedelta(seconds=allowance.seconds if allowance else 0)
        self._used = 0
        self._unanswered = 0
        self._reset = now() + self._window
        self._closed_until: datetime | None = None

    def take(self) -> None:
        """Count a request that is about to be sent; `release` it when it has ended.

        Raises:
            Deferred: there is none left; until when.
        """
        moment = now()
        if self._closed_until and moment < self._closed_until:
            raise self._exhausted(self._closed_until)
        if moment >= self._reset:
            self._used, self._reset = 0, moment + self._window
        if self._limit is not None and self._used >= self._limit:
            raise self._exhausted(self._reset)
        self._used += 1
        self._unanswered += 1

    def release(self) -> None:
        """Note that a request has ended, whatever came of it."""
        self._unanswered -= 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of the host's limits; nonsense is passed over."""
        reset = reset_of(headers)
        limit, remaining = _number(headers, "limit"), _number(headers, "remaining")
        if reset is None or not limit or remaining is None:  # it has just answered: 0 is no limit
            return
        self._limit, used = limit, max(limit - remaining, 0)
        if now() >= self._reset or reset > self._reset + _SAME_WINDOW:
            # A new window, or one that moves on with each answer: those under way are in either.
            self._used, self._reset = used + max(self._unanswered - 1, 0), reset
        else:
            # Others may ask from the same address, and those under way are not in the host's count.
            self._used, self._reset = max(self._used, used), min(self._reset, reset)

    def close(self, until: datetime | None) -> None:
        """Send no more before that moment, or for five minutes where none to come is given.

        Of several moments the latest holds.
        """
        moment = now()
        until = until if until and until > moment else moment + _PAUSE
        self._closed_until = max(until, self._closed_until or until)

    def _exhausted(self, until: datetime) -> Deferred:
        return Deferred(f"{self._place} allows no more requests for now", until)


def reset_of(headers: Mapping[str, str]) -> datetime | None:
    """Return when a host's limit starts anew, a day off at most, or None where it does not say.

    Mastodon gives ISO 8601, X and Bluesky seconds since 1970, others seconds from now.
    """
    text = _header(headers, "reset").strip()
    moment = now()
    try:
        if text.isdecimal():
            number = int(text[:16])
            number = number // 1000 if number >= _MILLISECONDS else number
            since = datetime.fromtimestamp(number, UTC) if number >= _EPOCH else None
            reset = since or moment + timedelta(seconds=number)
        else:
            reset = datetime.fromisoformat(text)
            reset = reset if reset.tzinfo else reset.replace(tzinfo=UTC)
        return min(max(reset, moment), moment + LONGEST_WAIT)
    except (ValueError, OverflowError, OSError):
        return None


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = _header(headers, name).strip()
    return min(int(text[:12]), _MOST) if text.isdecimal() and text.isascii() else None


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((found for it in _PREFIXES if (found := headers.get(f"{it}-{name}"))), "")
