"""The few figures that the README quotes, from what the benches left."""

from collections.abc import Sequence

from bench.figures import Figures, Table, written

_BEGINS, _ENDS = "<!-- figures: by bench.page -->", "<!-- end of figures -->"


def with_figures(readme: str, found: Sequence[Figures]) -> str:
    """Return a README with the present figures between its marks.

    Args:
        readme: its text.
        found: by the benches.

    Raises:
        ValueError: it has no such marks.
    """
    before, begun, rest = readme.partition(_BEGINS)
    _, ended, after = rest.partition(_ENDS)
    if not begun or not ended:
        raise ValueError(f"README.md has no {_BEGINS} and {_ENDS}")
    return f"{before}{_BEGINS}\n{_quoted(found)}\n{_ENDS}{after}"


def _quoted(found: Sequence[Figures]) -> str:
    sides = next((it for it in found if it.name == "sides"), None)
    if sides is None:
        return "Not measured yet: `make bench`."
    ways, runs = sides.tables
    wall = "wall, s"
    return (
        f"A run over {_figure(ways, 'flow', 'done')} accounts, all of them with a new post, takes"
        f" {_figure(ways, 'flow', wall)} s on {sides.circumstances.cores} cores that carry the chat"
        " server and Prefect as well. One after another, as it was once done, they take"
        f" {_figure(ways, 'one after another', wall)} s. With new posts for 5 % a run takes"
        f" {_figure(runs, 'by login, 5 % changed', wall)} s; by `operator`, all with a new post,"
        f" {_figure(runs, 'by operator, all changed', wall)} s."
    )


def _figure(table: Table, label: str, column: str) -> str:
    row = next(row for row in table.rows if row.label == label)
    return written(row.values[table.columns.index(column)])
