"""What a soak found: its figures, as JSON between processes, and as a table for people."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from rich.console import Console
from rich.table import Table

from bench.soak.footprint import Growth

_UNITS = {"memory": (1e6, " MB"), "database": (1e6, " MB")}


@dataclass(frozen=True, slots=True)
class Report:
    """How one part went.

    Attributes:
        what: its name.
        cycles: how many.
        seconds: how long they took.
        outcomes: of all accounts in all cycles.
        growths: of everything that is held.
    """

    what: str
    cycles: int
    seconds: float
    outcomes: dict[str, int]
    growths: list[Growth]

    @property
    def troubles(self) -> list[str]:
        """What is not flat."""
        return [
            f"{self.what}: {it.what}: {it.slope:+.3g} a cycle, more than {it.limit:g}"
            for it in self.growths
            if not it.is_flat
        ]

    def to_json(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what was made a line of."""
        found = json.loads(text)
        return cls(**found | {"growths": [Growth(**it) for it in found["growths"]]})


def show(report: Report) -> None:
    """Print it."""
    console = Console(highlight=False)
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(report.outcomes.items()))
    console.print(f"\n[bold]{report.what}[/]: {report.cycles} cycles in {report.seconds:.0f} s")
    console.print(f"{said}\n")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "at first", "in the end", "a cycle", "at most"):
        table.add_column(heading, justify="right" if heading else "left")
    for it in report.growths:
        unit, name = _UNITS.get(it.what, (1, ""))
        held = [f"{number / unit:.{1 if name else 0}f}{name}" for number in (it.first, it.last)]
        style = None if it.is_flat else "bold red"
        table.add_row(it.what, *held, f"{it.slope:+.4f}", f"{it.limit:g}", style=style)
    console.print(table)
    for trouble in report.troubles:
        console.print(f"Not good: {trouble}.", style="bold red")
