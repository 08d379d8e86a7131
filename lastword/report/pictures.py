"""The report's pictures, as SVG to stand within a page: that page's style sheet colours them.

So they are light or dark as their reader has it, and small. Each is made twice, for wide screens
and for narrow ones: words in a picture that shrinks become unreadable.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup
from pygal.style import Style

from lastword.report.bare import bare
from lastword.report.facts import DayFacts, HostFacts, RunFacts
from lastword.report.words import many, moment, span
from models import OutcomeKind

# From the ground up: what failed stands on it, where heights can be compared.
ORDER = (
    OutcomeKind.FAILED,
    OutcomeKind.DEFERRED,
    OutcomeKind.SKIPPED,
    OutcomeKind.UNCHANGED,
    OutcomeKind.PUBLISHED,
)
TROUBLE = ORDER[:2]
"""What would be too thin to be seen among the many accounts that are well."""
_WIDTHS = {"wide": 880, "narrow": 340}
_HEIGHT = 200
_LABEL, _LETTER = 64, 8
"""Pixels for one label of time, with air, and for one letter of a host's name."""
# Sizes only, by which it lays out: colours and font are the page's.
_STYLE = Style(label_font_size=12, major_label_font_size=12)

Moments = Sequence[RunFacts | DayFacts]
"""Runs or days, the oldest first."""
_Bars = Mapping[str, Sequence[tuple[float | None, str]]]
"""Series by name: values, each with what one reads who points at it."""


def outcomes(of: Moments, kinds: Sequence[OutcomeKind] = ORDER) -> Markup:
    """Return accounts by outcome, stacked, for each run or day.

    Args:
        of: the oldest first.
        kinds: the first ones of `ORDER`, by which the page colours them.
    """
    bars = {
        kind.value: [
            (one.counts[kind], f"{moment(one)}: {many(one.counts[kind])} {kind}") for one in of
        ]
        for kind in kinds
    }
    return _upright(pygal.StackedBar, bars, of, many)


def durations(of: Moments) -> Markup:
    """Return how long each run took, or the longest of each day."""
    took = [(one, one.longest if isinstance(one, DayFacts) else one.seconds) for one in of]
    bars = {"Took": [(it, f"{moment(one)}: {span(it)}") for one, it in took]}
    return _upright(pygal.Bar, bars, of, span)


def hosts(of: Sequence[HostFacts]) -> Markup:
    """Return how many outcomes of each host were Failed and Deferred, the worst on top."""
    upward = list(reversed(of))
    failed = [(it.failed, f"{it.host}: {many(it.failed)} Failed") for it in upward]
    deferred = [(it.deferred, f"{it.host}: {many(it.deferred)} Deferred") for it in upward]

    def draw(width: int) -> Any:  # noqa: ANN401 (pygal has no types)
        chart = _chart(pygal.HorizontalStackedBar, width, 26 * len(of) + 40, many)
        most = width // 3 // _LETTER
        chart.x_labels = [_cut(it.host, most) for it in upward]
        return chart

    return _twice(draw, {"Failed": failed, "Deferred": deferred})


def _upright(
    kind: type[Any],
    bars: _Bars,
    of: Moments,
    formatter: Callable[[float], str],
) -> Markup:
    def draw(width: int) -> Any:  # noqa: ANN401
        chart = _chart(kind, width, _HEIGHT, formatter)
        every = -(-len(of) * _LABEL // width) or 1
        # Counted from the newest, which is always named: it is what one looks for.
        chart.x_labels = [
            "" if (len(of) - 1 - at) % every else moment(one, short=True)
            for at, one in enumerate(of)
        ]
        return chart

    return _twice(draw, bars)


def _chart(kind: type[Any], width: int, height: int, formatter: Callable[[float], str]) -> Any:  # noqa: ANN401
    return kind(
        width=width,
        height=height,
        style=_STYLE,
        css=[],
        js=[],
        margin=4,
        margin_right=20,
        margin_top=8,
        spacing=6,
        show_legend=False,
        formatter=formatter,
        value_formatter=formatter,
        truncate_label=-1,
        min_scale=2,
        max_scale=5,
        include_x_axis=True,
    )


def _twice(draw: Callable[[int], Any], bars: _Bars) -> Markup:
    drawn = []
    for name, width in _WIDTHS.items():
        chart = draw(width)
        for title, values in bars.items():
            # pygal leaves out what is None, and its note with it.
            chart.add(title, [value and {"value": value, "label": note} for value, note in values])
        drawn.append(bare(chart.render_tree(), name))
    return Markup("").join(drawn)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
