"""One shape for what benches find: printed for people, saved as JSON, drawn by `bench.page`.

A bench gives its parser to `add_options`, makes `Figures`, and returns what `finish` returns.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table as Printed

from bench.circumstances import Circumstances

Value = float | str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; None: not measured."""

    label: str
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture of a table.

    Attributes:
        title: what it shows, with the unit.
        columns: those of the table that are drawn, each as a series.
        kind: `bars`: one for each row; `lines`: the rows' labels are numbers, along the x-axis.
    """

    title: str
    columns: list[str]
    kind: Literal["bars", "lines"] = "bars"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of figures.

    Attributes:
        title: what the rows are; heads the first column.
        columns: names of the others, with units: `wall, s`.
        rows: a value in each for every column.
        plots: pictures of it.

    Raises:
        ValueError: a row has too many values, or too few.
    """

    title: str
    columns: list[str]
    rows: list[Row]
    plots: list[Plot] = field(default_factory=list)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"{row.label} has {len(row.values)} of {len(self.columns)} values")


@dataclass(frozen=True, slots=True)
class Criterion:
    """What must hold.

    Attributes:
        claim: what is compared with the limit, in words without the limit itself.
        figure: what was measured; None: it could not be, and so it does not hold.
        limit: see above.
        unit: of both: `times`, `s`, `MB`; `%` where they are shares of 1.
        at_least: whether the figure must not be below the limit; else not above.
    """

    claim: str
    figure: float | None
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def held(self) -> bool:
        """Whether it is so."""
        if self.figure is None:
            return False
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    @property
    def measured(self) -> str:
        """The figure, in words."""
        if self.figure is None:
            return "not measured"
        if self.unit == "%":
            return f"{self.figure:.1%}"
        return f"{written(self.figure)} {self.unit}".strip()

    @property
    def bound(self) -> str:
        """The limit, in words."""
        limit = f"{self.limit:.0%}" if self.unit == "%" else f"{self.limit:,g} {self.unit}".strip()
        return f"at {'least' if self.at_least else 'most'} {limit}"

    def __str__(self) -> str:
        return f"{self.claim}: {self.measured}, {self.bound}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one bench found.

    Attributes:
        name: the bench's, by which `make bench NAME=` finds it.
        question: that it answers, in one sentence.
        how: what was done, in sentences: sizes, servers, rounds.
        tables: figures and pictures.
        criteria: what must hold.
        notes: what one must know to read the figures right, in sentences.
        command: measures again; empty: the one that it was measured with.
        circumstances: where and when.
    """

    name: str
    question: str
    how: str
    tables: list[Table] = field(default_factory=list)
    criteria: list[Criterion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    command: str = ""
    circumstances: Circumstances = field(default_factory=Circumstances.of_now)

    @property
    def troubles(self) -> list[str]:
        """What is not as it must be."""
        return [str(criterion) for criterion in self.criteria if not criterion.held]


def as_json(figures: Figures) -> str:
    """Return them as `load` reads them; each criterion with whether it held."""
    told = asdict(figures)
    for criterion, saved in zip(figures.criteria, told["criteria"], strict=True):
        saved["held"] = criterion.held
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def load(text: str) -> Figures:
    """Return what was saved.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    told: dict[str, Any] = json.loads(text)
    for criterion in told["criteria"]:
        del criterion["held"]
    told["criteria"] = [Criterion(**it) for it in told["criteria"]]
    told["tables"] = [_table(it) for it in told["tables"]]
    told["circumstances"] = Circumstances(**told["circumstances"])
    return Figures(**told)


def _table(told: Mapping[str, Any]) -> Table:
    rows = [Row(**row) for row in told["rows"]]
    return Table(told["title"], told["columns"], rows, [Plot(**plot) for plot in told["plots"]])


def written(value: Value) -> str:
    """Return a value with no more digits than it is worth."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004


def add_options(parser: ArgumentParser) -> None:
    """Add what every bench takes: `--json` and `--save`."""
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="leave them there as JSON, for bench.page"
    )


def finish(figures: Figures, told: Namespace) -> int:
    """Print the figures, save them where that is wanted, and return the exit code.

    Args:
        figures: what was found.
        told: the arguments, with those of `add_options`.
    """
    if not figures.command:
        figures = replace(figures, command=_command(figures.name, sys.argv[1:]))
    if told.save:
        told.save.mkdir(parents=True, exist_ok=True)
        (told.save / f"{figures.name}.json").write_text(as_json(figures), encoding="utf-8")
    if told.json:
        sys.stdout.write(as_json(figures))
    else:
        _show(figures)
    return 1 if figures.troubles else 0


def _command(name: str, arguments: Sequence[str]) -> str:
    """Return what measures the same again."""
    left, sizes = iter(arguments), []
    for one in left:
        if one == "--save":
            next(left, None)
        elif one != "--json" and not one.startswith("--save="):
            sizes.append(one)
    return f"make bench NAME={name}" + (f' ARGS="{" ".join(sizes)}"' if sizes else "")


def _show(figures: Figures) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{figures.question}[/bold]\n{figures.how}\n")
    for table in figures.tables:
        printed = Printed(box=None, header_style="bold", pad_edge=False)
        printed.add_column(table.title)
        for heading in table.columns:
            printed.add_column(heading, justify="right")
        for row in table.rows:
            printed.add_row(row.label, *map(written, row.values))
        console.print(printed, "")
    for note in figures.notes:
        console.print(note)
    for criterion in figures.criteria:
        if criterion.held:
            console.print(f"✓ {criterion}", style="green")
        else:
            console.print(f"✗ Not good: {criterion}", style="bold red")
