"""Pictures of figures, as SVG files that stand by themselves: for pages that show them as images.

On a ground of their own, for a page may be light or dark; with no script and no font from afar.
"""

from typing import Any

import pygal
from lxml import etree  # type: ignore[import-untyped]
from pygal.style import Style

from bench.figures import Plot, Row, Table, written

_WIDTH = 760
_BAR = 34
"""Pixels for each bar, with air."""
_LINES = 340
_STYLE = Style(
    background="#ffffff",
    plot_background="#ffffff",
    foreground="#1f2937",
    foreground_strong="#111827",
    foreground_subtle="#6b7280",
    colors=("#2563eb", "#d97706", "#059669", "#9333ea"),
    font_family="system-ui, sans-serif",
    label_font_size=14,
    major_label_font_size=14,
    value_font_size=14,
    title_font_size=16,
    legend_font_size=14,
)


def draw(table: Table, plot: Plot) -> str:
    """Return a picture of a table's columns as SVG."""
    at = [table.columns.index(name) for name in plot.columns]
    chart = _lines(table, at) if plot.kind == "lines" else _bars(table, at)
    chart.title = plot.title
    root = chart.render_tree()
    # The script, and a comment with the day's date: a picture changes with its figures only.
    for found in list(root.iter(etree.Comment, "script", "desc")):
        found.getparent().remove(found)
    root.attrib.pop("id", None)
    return str(etree.tostring(root, encoding="unicode")) + "\n"


def _bars(table: Table, at: list[int]) -> Any:  # noqa: ANN401 (pygal has no types)
    rows = [row for row in reversed(table.rows) if any(_number(row, it) is not None for it in at)]
    height = _BAR * len(rows) * len(at) + 90
    chart = _chart(pygal.HorizontalBar, height, show_legend=len(at) > 1, show_y_guides=False)
    # Beside the name, where a value can be read however short its bar is.
    chart.x_labels = [
        f"{row.label}: {' / '.join(written(_number(row, it)) for it in at)}" for row in rows
    ]
    for it in at:
        chart.add(table.columns[it], [_number(row, it) for row in rows])
    return chart


def _lines(table: Table, at: list[int]) -> Any:  # noqa: ANN401 (as above)
    chart = _chart(pygal.XY, _LINES, show_legend=len(at) > 1, x_title=table.title)
    for it in at:
        points = [(float(row.label.replace(",", "")), _number(row, it)) for row in table.rows]
        chart.add(table.columns[it], points)
    return chart


def _number(row: Row, at: int) -> float | None:
    value = row.values[at]
    return value if isinstance(value, int | float) else None


def _chart(kind: type[Any], height: int, **more: object) -> Any:  # noqa: ANN401 (as above)
    return kind(
        width=_WIDTH,
        height=height,
        style=_STYLE,
        js=[],
        no_prefix=True,
        include_x_axis=True,
        legend_at_bottom=True,
        value_formatter=written,
        min_scale=3,
        max_scale=6,
        truncate_label=-1,
        range_start=0,
        **more,
    )
