"""How a run ends, as a pure function of its tally."""

from dataclasses import dataclass

from lastword.runs import Tally
from models import OutcomeKind


@dataclass(frozen=True, slots=True)
class Verdict:
    """A run's state name, `Completed`, `Degraded` or `Failed`, and one line that says why.

    Attributes:
        state: the state's name.
        message: why.
        adds_up: whether every account that was due has an outcome in the ledger.
    """

    state: str
    message: str
    adds_up: bool = True


def verdict(ended: Tally, *, threshold: float, trouble: str | None = None) -> Verdict:
    """Judge a run.

    Args:
        ended: its tally.
        threshold: share of failed accounts (0 to 1) above which the run is Failed.
        trouble: what was systemic, where something was.
    """
    said = ", ".join(
        f"{ended.counts[kind]} {kind}" for kind in OutcomeKind if ended.counts.get(kind)
    )
    adds_up = not ended.without_outcome
    if not adds_up:
        said = ", ".join(filter(None, (said, f"{ended.without_outcome} without outcome")))
    if trouble:
        return Verdict("Failed", f"{trouble} ({said})" if said else trouble, adds_up)
    if not ended.due:
        return Verdict("Completed", "Nothing was due.")
    failed = ended.counts.get(OutcomeKind.FAILED, 0) + ended.without_outcome
    if not failed:
        return Verdict("Completed", said)
    share = failed / ended.due
    if share > threshold:
        return Verdict("Failed", f"{said}: {share:.0%} failed, more than {threshold:.0%}", adds_up)
    return Verdict("Degraded", said, adds_up)
