"""The run in one page of markdown, for Prefect's UI."""

from collections.abc import Mapping

from lastword.runs import Tally
from lastword.verdict import Verdict
from models import OutcomeKind

_MEANING = {
    OutcomeKind.PUBLISHED: "a new status was set, and its server confirmed it",
    OutcomeKind.UNCHANGED: "the status stands as it is",
    OutcomeKind.SKIPPED: "no eligible post to publish",
    OutcomeKind.DEFERRED: "not now: a limit or a host that is down, no fault of the account",
    OutcomeKind.FAILED: "see the table of failures",
}


def summary(ended: Tally, judged: Verdict, seen: Mapping[str, int], seconds: float) -> str:
    """Return the summary.

    Args:
        ended: the run's tally by our own tables.
        judged: its verdict.
        seen: task runs by the name of their final state, as Prefect saw them.
        seconds: how long the accounts took.
    """
    accounts = "1 account" if ended.due == 1 else f"{ended.due} accounts"
    lines = [f"# {judged.state}", "", f"{accounts} in {seconds:.1f} s. {judged.message}", ""]
    if ended.counts:
        lines += ["| Outcome | Accounts | Meaning |", "| --- | ---: | --- |"]
        lines += [
            f"| {kind} | {ended.counts[kind]} | {_MEANING[kind]} |"
            for kind in OutcomeKind
            if ended.counts.get(kind)
        ]
    drift = {
        kind.value: (ended.counts.get(kind, 0), seen.get(kind.value, 0))
        for kind in OutcomeKind
        if ended.counts.get(kind, 0) != seen.get(kind.value, 0)
    }
    if drift:
        lines += ["", "Our ledger and Prefect's task runs differ; the ledger is the truth:"]
        lines += [
            f"- {name}: {ours} in the ledger, {theirs} in Prefect"
            for name, (ours, theirs) in drift.items()
        ]
    return "\n".join(lines) + "\n"
