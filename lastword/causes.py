"""What operators are told after a run, as a pure function of it and of the causes known before.

One message for one cause, however many accounts it meets; a reminder at most daily while it
lasts; one when it is over. A server that is out of action inhibits what its accounts would say.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from lastword import cause_words
from lastword.cause_facts import Cause, Facts, Kind, News
from lastword.cause_findings import Sighting, is_over, sightings

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)

_REMIND = {Kind.NEEDS_OWNER: WEEK, Kind.HOST_REFUSES: WEEK, Kind.HOST_GONE: WEEK}
"""Where nobody but the owners can do something, a day is too often."""
_PATIENT = frozenset({Kind.HOST_DOWN, Kind.LATE})
"""Told when seen twice in a row, unless the run failed: a restart wakes nobody."""
_AT_ONCE = frozenset({Kind.NEEDS_OWNER, Kind.HOST_REFUSES, Kind.HOST_GONE})
"""Over as soon as they are; all else when it was not seen in two runs: who comes and goes does
not send two messages every time."""


def judge(facts: Facts, open_causes: Collection[Cause]) -> tuple[list[Cause], list[News]]:
    """Return the causes that are open after a run, and what operators are told.

    Args:
        facts: what the run shows.
        open_causes: as this function left them after the run before.
    """
    seen = {sighting.key: sighting for sighting in sightings(facts, open_causes)}
    known = {cause.key: cause for cause in open_causes}
    still_open, ended = list[Cause](), list[Cause]()
    for key, cause in known.items():
        after = _after(cause, seen.get(key), facts)
        (ended if _has_ended(after, cause, facts) else still_open).append(after)
    still_open += [_new(one, facts) for key, one in seen.items() if key not in known]

    told, news = _tell(still_open, facts)
    news += cause_words.ended([cause for cause in ended if cause.told_at], facts)
    news += _gap(facts)
    return told, news


def _new(seen: Sighting, facts: Facts) -> Cause:
    return Cause(
        key=seen.key,
        kind=seen.kind,
        host=seen.host,
        since=facts.now,
        accounts=seen.accounts,
        says=seen.says,
    )


def _after(cause: Cause, seen: Sighting | None, facts: Facts) -> Cause:
    """Return a cause as it stands after a run."""
    if seen:
        return replace(
            cause,
            runs=cause.runs + 1,
            clear_since=None,
            accounts=cause.accounts | seen.accounts,
            says=seen.says,
        )
    match is_over(cause, facts):
        case True:
            return replace(cause, clear_since=cause.clear_since or facts.now)
        case False:
            return replace(cause, runs=cause.runs + 1, clear_since=None)
    return cause


def _has_ended(after: Cause, before: Cause, facts: Facts) -> bool:
    if after.clear_since is None:
        return False
    if after.kind in _AT_ONCE:
        return True
    # A run that says nothing of it leaves it as it was: that is no second time.
    return before.clear_since is not None and is_over(before, facts) is True


def _tell(causes: Iterable[Cause], facts: Facts) -> tuple[list[Cause], list[News]]:
    """Return the causes, with those told that are, and the messages."""
    opened, reminded, quiet = list[Cause](), list[Cause](), list[Cause]()
    for cause in causes:
        if cause.told_at is None:
            (opened if _is_ripe(cause, facts) else quiet).append(cause)
        elif facts.now - cause.told_at >= _REMIND.get(cause.kind, DAY) and not cause.clear_since:
            reminded.append(cause)
        else:
            quiet.append(cause)
    if any(cause.kind is Kind.NEEDS_OWNER for cause in reminded):
        # All in one message, or each would have a day of its own.
        waiting = [cause for cause in quiet if cause.kind is Kind.NEEDS_OWNER]
        reminded += waiting
        quiet = [cause for cause in quiet if cause.kind is not Kind.NEEDS_OWNER]
    news = cause_words.opened(opened, facts) + cause_words.reminders(reminded, facts)
    now_told = [replace(cause, told_at=facts.now) for cause in (*opened, *reminded)]
    return quiet + now_told, news


def _is_ripe(cause: Cause, facts: Facts) -> bool:
    if cause.clear_since:
        return False
    failed = facts.is_whole and facts.judged.state == "Failed"
    return cause.kind not in _PATIENT or cause.runs > 1 or failed


def _gap(facts: Facts) -> Iterator[News]:
    """Tell that runs end again: while none did, only Prefect's server could tell."""
    if facts.last_ended and facts.now - facts.last_ended > facts.no_run_after:
        yield cause_words.runs_again(facts.last_ended, facts)
