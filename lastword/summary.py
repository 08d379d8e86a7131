"""The run in one page of markdown, for Prefect's UI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lastword.changes import Change
from lastword.chart import chart
from lastword.pace import HostPace
from lastword.runs import Tally
from lastword.verdict import Verdict
from models import Health, OutcomeKind, Run, Shard, ShardState

_MEANING = {
    OutcomeKind.PUBLISHED: "a new status was set, and its server confirmed it",
    OutcomeKind.UNCHANGED: "the status stands as it is",
    OutcomeKind.SKIPPED: "no eligible post to publish",
    OutcomeKind.DEFERRED: "not now: a limit or a host that is down, no fault of the account",
    OutcomeKind.FAILED: "see the table of failures",
}


NAMED = 20
"""Shards of which more than their number is told."""

_CHANGED = {
    Health.NEEDS_OWNER: "Wait for their owner",
    Health.FAILING: "Began to fail",
    Health.GONE: "Source gone",
    Health.OK: "Well again",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is seen beside.

    Attributes:
        changes: what it changed about accounts' health.
        slowest: the hosts that it waited for the longest.
        recent: this run and those before it, newest first.
        note: what else people should know of it.
        drift: what Prefect has not recorded of the run before, if anything.
        earlier: what was set right of earlier runs' task runs at Prefect, if anything was.
        shards: what it was divided into.
    """

    changes: Sequence[Change] = ()
    slowest: Sequence[HostPace] = ()
    recent: Sequence[Run] = ()
    note: str | None = None
    drift: str | None = None
    earlier: str | None = None
    shards: Sequence[Shard] = ()


_ALONE = Surroundings()


def summary(
    ended: Tally,
    judged: Verdict,
    seen: Mapping[str, int] | None,
    seconds: float,
    around: Surroundings = _ALONE,
) -> str:
    """Return the summary; its size does not depend on the number of accounts.

    Args:
        ended: the run's tally by our own tables.
        judged: its verdict.
        seen: accounts by the name of their task runs' final state, as Prefect saw them; None:
            not known.
        seconds: how long the accounts took.
        around: what it is seen beside.
    """
    accounts = "1 account" if ended.due == 1 else f"{ended.due} accounts"
    parts = [
        [f"# {judged.state}", "", f"{accounts} in {seconds:.1f} s. {judged.message}"],
        [around.note] if around.note else [],
        _counts(ended),
        [] if seen is None else _drift(ended, seen),
        [f"{around.drift[:1].upper()}{around.drift[1:]}."] if around.drift else [],
        [around.earlier] if around.earlier else [],
        _changes(around.changes),
        _shards(around.shards),
        _hosts(around.slowest),
        _recent(around.recent),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _counts(ended: Tally) -> list[str]:
    rows = [
        f"| {kind} | {ended.counts[kind]} | {_MEANING[kind]} |"
        for kind in OutcomeKind
        if ended.counts.get(kind)
    ]
    return ["| Outcome | Accounts | Meaning |", "| --- | ---: | --- |", *rows] if rows else []


def _drift(ended: Tally, seen: Mapping[str, int]) -> list[str]:
    differing = [
        f"- {kind}: {ours} in the ledger, {theirs} in Prefect"
        for kind in OutcomeKind
        if (ours := ended.counts.get(kind, 0)) != (theirs := seen.get(kind.value, 0))
    ]
    told = "Our ledger and Prefect's task runs differ; the ledger is the truth:"
    return [told, "", *differing] if differing else []


def _changes(changes: Sequence[Change]) -> list[str]:
    lines = []
    for change in changes:
        more = change.number - len(change.names)
        names = ", ".join(change.names) + (f" and {more} more" if more else "")
        lines.append(f"- {_CHANGED[change.health]} ({change.number}): {names}")
    return ["## Changed in this run", "", *lines] if lines else []


def _shards(made: Sequence[Shard]) -> list[str]:
    if not made:
        return []
    again = [it for it in made if it.attempts > 1 or it.state is not ShardState.DONE]
    done = sum(it.state is ShardState.DONE for it in made)
    more = len(again) - NAMED
    rows = [f"| {it.number} | {it.state} | {it.attempts} | {it.reason} |" for it in again[:NAMED]]
    heading = ["| Shard | State | Attempts | How it went |", "| ---: | --- | ---: | --- |"]
    told = [f"{done} of {len(made)} shards are done."]
    told += [f"Of {more} more, too, not all went well at once."] if more > 0 else []
    return ["## Shards", "", *told, *(["", *heading, *rows] if rows else [])]


def _hosts(slowest: Sequence[HostPace]) -> list[str]:
    rows = [
        f"| {it.host} | {it.visits} | {it.seconds / it.visits:.2f} s | {it.longest:.2f} s |"
        for it in slowest
    ]
    heading = ["## Slowest hosts", "", "| Host | Visits | Mean | Longest |"]
    return [*heading, "| --- | ---: | ---: | ---: |", *rows] if rows else []


def _recent(recent: Sequence[Run]) -> list[str]:
    lines = chart(recent)
    return ["## Recent runs", "", "```", *lines, "```"] if len(lines) > 2 else []  # noqa: PLR2004
