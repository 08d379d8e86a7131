"""A run's table of failures, for Prefect's UI: worst first, and of a bounded size."""

from collections.abc import Sequence
from datetime import datetime

from lastword.advice import advice
from lastword.moments import ago
from lastword.runs import Failure

ROWS = 100
"""Who has more failures has few causes: the rest is in our tables."""


def failure_table(failures: Sequence[Failure], now: datetime) -> list[dict[str, str]]:
    """Return the rows, by column; the last one says how many more there are.

    Args:
        failures: worst first.
        now: the present moment (aware).
    """
    rows = [
        {
            "Account": failure.name,
            "What happened": failure.reason,
            "Since": f"{failure.since:%Y-%m-%d %H:%M} UTC ({ago(failure.since, now)})",
            "What to do": advice(failure.error, failure.name),
        }
        for failure in failures[:ROWS]
    ]
    if more := len(failures) - len(rows):
        rows.append(
            {
                "Account": f"and {more} more",
                "What happened": "",
                "Since": "",
                "What to do": "`lastword accounts list` shows all, `lastword why NAME` each",
            }
        )
    return rows
