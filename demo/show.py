"""What the demo prints: steps, tables, and what is not as it should be."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Show:
    """Calm output, and the list of broken expectations."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self.broken: list[str] = []

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Print a step when it is done, with the seconds that it took."""
        began = monotonic()
        with self._console.status(f"{escape(text)} …"):
            yield
        self._console.print(f"[green]✓[/] {escape(text)} [dim]({monotonic() - began:.1f} s)[/]")

    def say(self, text: str = "") -> None:
        """Print a line."""
        self._console.print(escape(text))

    def heading(self, text: str) -> None:
        """Print a heading."""
        self._console.print(f"\n[bold]{escape(text)}[/]")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> None:
        """Print a table of at most so many rows, and say how many more there are."""
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows[:most]:
            table.add_row(*map(escape, row))
        self._console.print(table)
        if len(rows) > most:
            self._console.print(f"[dim]… and {len(rows) - most} more[/]")

    def counts(self, counts: Mapping[str, int]) -> None:
        """Print how many ended in which way."""
        self.say("  ".join(f"{number} {name}" for name, number in sorted(counts.items())))

    def expect(self, holds: bool, text: str) -> None:
        """Note an expectation; a broken one is printed at once and fails the demo."""
        if not holds:
            self.broken.append(text)
            self._console.print(f"[red]✗ {escape(text)}[/]")
