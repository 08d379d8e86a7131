"""What operators read, perhaps at three in the morning: what, since when, what to do."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from lastword.cause_facts import Cause, Change, Facts, Kind, News, Standing

_NAMED = 8
"""Names of accounts in a message at most."""
_CALLS = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)
_LIST = "`lastword accounts list --health needs_owner`"

_SUBJECT = {
    Kind.HOST_DOWN: "{host} is out of action",
    Kind.HOST_REFUSES: "{host} refuses accounts",
    Kind.HOST_GONE: "{host} has lost accounts",
    Kind.SYSTEMIC: "{about} is out of action",
    Kind.FAILURES: "The run Failed",
    Kind.DEGRADED: "The run was Degraded",
    Kind.NEEDS_OWNER: "{who} need{s} {their} owner",
    Kind.HOLDER_DEAD: "The holder is dead",
    Kind.DRIFT: "Our ledger and Prefect's record differ",
    Kind.LATE: "Runs begin late",
}
_OVER = {
    Kind.HOST_DOWN: "{host} works again",
    Kind.HOST_REFUSES: "{host} lets its accounts in again",
    Kind.HOST_GONE: "{host} has its accounts again",
    Kind.SYSTEMIC: "{about} works again",
    Kind.FAILURES: "Runs do well again",
    Kind.DEGRADED: "No account fails any more",
    Kind.NEEDS_OWNER: "{who} {are} well again",
    Kind.HOLDER_DEAD: "The holder lives again",
    Kind.DRIFT: "Our ledger and Prefect's record agree again",
    Kind.LATE: "Runs begin in time again",
}
_TO_DO = {
    Kind.HOST_DOWN: (
        "nothing, if the server is not yours: its accounts are tried in every run, and catch up"
        " by themselves. If it is yours, look at it now."
    ),
    Kind.HOST_REFUSES: (
        "ask whoever runs it whether it lost its users or bans this machine. None of the accounts"
        f" is tried again until it changes: {_LIST} lists them."
    ),
    Kind.HOST_GONE: (
        "nothing: they are looked at once a day, and come back by themselves. If the server has"
        " moved, give them their new source by `lastword accounts edit NAME --source …`."
    ),
    Kind.SYSTEMIC: "read what it says, then `lastword doctor`: no account is to blame.",
    Kind.FAILURES: "read the table of failures of the run; `lastword why NAME` tells more.",
    Kind.DEGRADED: "read the table of failures of the run, when there is time.",
    Kind.NEEDS_OWNER: (
        "let the owners know; nothing is tried until something changes, by"
        " `lastword accounts edit NAME --password` or what `lastword why NAME` says."
    ),
    Kind.HOLDER_DEAD: "start `lastword hold` again: without it no status is kept for its accounts.",
    Kind.DRIFT: (
        "nothing at once: the ledger is right, and the UI shows too little. If it lasts, Prefect's"
        " server loses events: see docs/alerts.md."
    ),
    Kind.LATE: "give the worker's machine more room, or look at what else runs there.",
}


def opened(causes: Sequence[Cause], facts: Facts) -> list[News]:
    """Return the messages about causes that open: one each, and one for all waiting owners."""
    return [_news(group, facts, Change.OPENED) for group in _grouped(causes)]


def reminders(causes: Sequence[Cause], facts: Facts) -> list[News]:
    """Return the messages about causes that last."""
    return [_news(group, facts, Change.REMINDER) for group in _grouped(causes)]


def ended(causes: Sequence[Cause], facts: Facts) -> list[News]:
    """Return the messages about causes that are over."""
    there = {one.id for one in facts.standings}
    # An account that was removed, or paused, is not well again: nobody need hear of it.
    kept = [
        cause for cause in causes if cause.kind is not Kind.NEEDS_OWNER or cause.accounts & there
    ]
    return [_over(group, facts) for group in _grouped(kept)]


def runs_again(last_ended: datetime, facts: Facts) -> News:
    """Return the message that runs end again, after there was none for long."""
    gap = facts.now - last_ended
    missed = max(1, round(gap / facts.spacing) - 1)
    return News(
        Kind.NO_RUN,
        Change.ENDED,
        Kind.NO_RUN.value,
        f"Runs complete again, after {lasting(gap)}",
        f"None did from {moment(last_ended, facts.now)} to {moment(facts.now, facts.now)}"
        f" ({lasting(gap)}): {_count(missed, 'run')} missed. Nothing is left to do: every account"
        " catches up in one run.",
    )


def not_started(said: str) -> News:
    """Return the message that a run ended before it could be judged."""
    return News(
        Kind.NOT_STARTED,
        Change.OPENED,
        Kind.NOT_STARTED.value,
        "The run Failed: nothing could be done",
        f"{plain(said)}\nWhat to do: `lastword doctor` tells what is wrong with the installation."
        " This is said once a day at most, however many runs fail so.",
    )


def sample() -> News:
    """Return the message of `lastword alerts test`."""
    return News(
        Kind.TEST,
        Change.OPENED,
        Kind.TEST.value,
        "A test: chat.example is out of action, 412 accounts",
        "This is a sample, asked for by `lastword alerts test`. A real one says what is wrong,"
        " since when, and what to do.\nWhat to do: nothing. Alerts reach you.",
    )


def moment(when: datetime, now: datetime) -> str:
    """Return a moment in UTC, with its date where that is not today."""
    when, now = when.astimezone(UTC), now.astimezone(UTC)
    return f"{when:%H:%M} UTC" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M} UTC"


def lasting(span: timedelta) -> str:
    """Return how long something lasted, in its two largest units."""
    minutes = max(1, round(span.total_seconds() / 60))
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def plain(text: str) -> str:
    """Return what somebody else said, fit for a chat: a server must not call the whole channel."""
    return _CALLS.sub("@\u200b", " ".join(text.replace("<", "(").replace(">", ")").split()))


def _news(group: Sequence[Cause], facts: Facts, change: Change) -> News:
    first = min(group, key=lambda cause: cause.since)
    met = _met(group, facts)
    total = _total(first, met, facts)
    subject = _headline(_SUBJECT[first.kind], first, met)
    if first.kind is not Kind.NEEDS_OWNER:
        size = f": {_count(total, 'account')}" if first.host else ""
        subject += f"{size}, since {moment(first.since, facts.now)}"
    if change is Change.REMINDER:
        subject = f"Still: {subject}"
    lines = [*_what(group, met, total, facts), f"What to do: {_TO_DO[first.kind]}"]
    return _of(group, change, subject, lines, total)


def _what(
    group: Sequence[Cause], met: Sequence[Standing], total: int, facts: Facts
) -> Iterable[str]:
    first = min(group, key=lambda cause: cause.since)
    if first.kind is Kind.NEEDS_OWNER:
        for one in met[:_NAMED]:
            yield f"{one.name}: {plain(one.reason)}"
        if len(met) > _NAMED:
            yield f"… and {len(met) - _NAMED} more: {_LIST}"
        if (days := (facts.now - first.since).days) >= 1:
            yield f"The first has waited for {_count(days, 'day')}."
        return
    yield f"{plain(first.says)}."
    since = f"Since {moment(first.since, facts.now)}, seen in {_count(first.runs, 'run')}"
    if first.host:
        names = ", ".join(one.name for one in met[:_NAMED])
        more = f" and {len(met) - _NAMED} more" if len(met) > _NAMED else ""
        yield f"{since}, by {len(met)} of {_count(total, 'account')}: {names}{more}."
    else:
        yield f"{since}."


def _over(group: Sequence[Cause], facts: Facts) -> News:
    first = min(group, key=lambda cause: cause.since)
    met = _met(group, facts)
    end = first.clear_since or facts.now
    lasted = lasting(end - first.since)
    lines = []
    if len(met) > 1 and first.kind is Kind.NEEDS_OWNER:
        more = f" and {len(met) - _NAMED} more" if len(met) > _NAMED else ""
        lines.append(f"{', '.join(one.name for one in met[:_NAMED])}{more}.")
    runs = _count(max(cause.runs for cause in group), "run")
    missed = f"{runs} missed" if first.accounts else f"seen in {runs}"
    lines += [
        f"From {moment(first.since, facts.now)} to {moment(end, facts.now)} ({lasted}), {missed}.",
        "What to do: nothing.",
    ]
    return _of(group, Change.ENDED, _headline(_OVER[first.kind], first, met), lines, len(met))


def _of(
    group: Sequence[Cause], change: Change, subject: str, lines: Iterable[str], accounts: int
) -> News:
    first = min(group, key=lambda cause: cause.since)
    key = first.key if first.kind is not Kind.NEEDS_OWNER else first.kind.value
    return News(first.kind, change, key, subject, "\n".join(lines), first.host, accounts)


def _grouped(causes: Iterable[Cause]) -> Iterable[Sequence[Cause]]:
    owners = []
    for cause in causes:
        if cause.kind is Kind.NEEDS_OWNER:
            owners.append(cause)
        else:
            yield [cause]
    if owners:
        yield owners


def _headline(words: str, cause: Cause, met: Sequence[Standing]) -> str:
    about = cause.key.partition(":")[2].replace("everything", "Last Word")
    if len(met) == 1:
        return words.format(
            host=cause.host, about=about, who=met[0].name, s="s", are="is", their="the"
        )
    who = _count(len(met), "account")
    return words.format(host=cause.host, about=about, who=who, s="", are="are", their="their")


def _met(group: Sequence[Cause], facts: Facts) -> list[Standing]:
    ids = frozenset[int]().union(*(cause.accounts for cause in group))
    return sorted((one for one in facts.standings if one.id in ids), key=lambda one: one.name)


def _total(cause: Cause, met: Sequence[Standing], facts: Facts) -> int:
    """Return how many accounts there are at a cause's server, or that it met elsewhere."""
    if cause.host is None:
        return len(met)
    there = sum(cause.host in (one.source_host, one.jid_host) for one in facts.standings)
    return max(there, len(met))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number:,} {what}s"
