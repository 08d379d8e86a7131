"""Who has written nothing for long is looked at less often, in a turn of their own."""

from datetime import UTC, datetime, timedelta

from lastword.health import EVERY

LONGEST = timedelta(hours=6)
"""Nobody is looked at more rarely."""


def quiet_until(
    newest: datetime | None, *, now: datetime, after: timedelta | None, seed: int
) -> datetime | None:
    """Return when a healthy account is due again, by the age of its newest post.

    With `after` a week, one that wrote nothing for a week is looked at in every second run, after
    two weeks in every third, up to six hours: what comes after so long waits for a small part of
    the time that it took. Turns go by the accounts' numbers, and so are spread over the runs.

    Args:
        newest: time of its newest post (aware); None: nobody knows.
        now: the present moment (aware).
        after: the age from which on a post is old; None: everybody is due at every run.
        seed: the account's own number.

    Returns:
        A moment at most six hours off; None: at the next run.
    """
    if after is None or newest is None or newest > now:
        return None
    every = min(1 + (now - newest) // after, LONGEST // EVERY)
    turn = int(now.timestamp() // EVERY.total_seconds())
    wait = (seed - turn - 1) % every + 1
    if wait == 1:
        return None
    return datetime.fromtimestamp((turn + wait) * EVERY.total_seconds(), UTC)
