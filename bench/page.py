"""Make docs/performance.md of what the benches left in docs/performance/, with its pictures.

The README's figures, and the sizes in docs/scaling.md, between their marks, come from the same
files. Nothing of it is written by hand.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.circumstances import Circumstances
from bench.figures import Figures, Table, load, written
from bench.pictures import draw
from bench.readme import with_figures
from bench.sizing import with_sizes

ROOT = Path(__file__).parent.parent
SAVED = "performance"
PAGE = ("sides", "distant", "orchestration", "scale", "start")
"""Benches on the page, in this order: those of `make bench`. Others are for docs/scaling.md."""
_HEAD = """\
# How fast it is

Every figure and picture here comes from the command named beside it, which leaves its figures in
[docs/performance/](performance) as JSON, and this page is made of them; `make bench` measures
all of it again. Figures of one table are of one run on one machine: it is their ratios that count.
"""


def saved(docs: Path) -> list[Figures]:
    """Return what the benches left.

    Args:
        docs: the directory of the docs.

    Raises:
        ValueError: a file is none of a bench.
    """
    found = []
    for file in sorted((docs / SAVED).glob("*.json")):
        try:
            found.append(load(file.read_text("utf-8")))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} is not what a bench leaves: {error}") from error
    order = {name: place for place, name in enumerate(PAGE)}
    return sorted(found, key=lambda it: (order.get(it.name, len(order)), it.name))


def page(found: Sequence[Figures]) -> str:
    """Return the page over what its benches found."""
    found = _shown(found)
    newest = max((it.circumstances for it in found), key=lambda it: it.moment)
    versions = ", ".join(f"{name} {number}" for name, number in newest.versions.items())
    lines = [_HEAD, f"Measured on {_machine(newest)}. {versions}.", "", *_promises(found)]
    for it in found:
        lines += ["", f"## {it.question}", "", it.how, ""]
        for number, table in enumerate(it.tables):
            lines += [*_table(table), ""]
            lines += (
                f"![{plot.title}]({SAVED}/{_picture(it, number, place)})\n"
                for place, plot in enumerate(table.plots)
            )
        lines += [*(f"- {note}" for note in it.notes), ""] if it.notes else []
        lines.append(f"`{it.command}`, {_when(it, newest)}.")
    return "\n".join(lines) + "\n"


def pictures(found: Sequence[Figures]) -> Iterator[tuple[str, str]]:
    """Yield the name of each picture's file, and its SVG."""
    for it in _shown(found):
        for number, table in enumerate(it.tables):
            for place, plot in enumerate(table.plots):
                yield _picture(it, number, place), draw(table, plot)


def _shown(found: Sequence[Figures]) -> list[Figures]:
    return [it for it in found if it.name in PAGE]


def _machine(it: Circumstances) -> str:
    return f"{it.cores} cores of {it.processor}, {it.memory} GB of memory, {it.system}"


def _promises(found: Sequence[Figures]) -> Iterator[str]:
    yield "| What must hold | measured | limit | |"
    yield "| --- | ---: | ---: | --- |"
    for it in found:
        for one in it.criteria:
            held = "holds" if one.held else "**does not hold**"
            yield f"| {one.claim} | {one.measured} | {one.bound} | [{held}](#{_anchor(it)}) |"


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join([table.title, *table.columns])} |"
    yield f"| --- |{' ---: |' * len(table.columns)}"
    for row in table.rows:
        yield f"| {' | '.join([row.label, *map(written, row.values)])} |"


def _anchor(it: Figures) -> str:
    """Return what a heading is linked by, as GitHub and GitLab make it."""
    return re.sub(r"[^\w\- ]", "", it.question.lower()).replace(" ", "-")


def _when(it: Figures, newest: Circumstances) -> str:
    where = "" if _machine(it.circumstances) == _machine(newest) else _machine(it.circumstances)
    return f"{it.circumstances.moment} UTC{f', on {where}' if where else ''}"


def _picture(it: Figures, table: int, place: int) -> str:
    return f"{it.name}-{table + 1}-{place + 1}.svg"


def main() -> int:
    """Write everything, and return the exit code."""
    docs = ROOT / "docs"
    found = saved(docs)
    if not _shown(found):
        sys.stderr.write("No bench has left any figures: `make bench` measures.\n")
        return 1
    for name, svg in pictures(found):
        (docs / SAVED / name).write_text(svg, encoding="utf-8")
    (docs / "performance.md").write_text(page(found), encoding="utf-8")
    scaling, operating = docs / "scaling.md", (docs / "operating.md").read_text("utf-8")
    told = with_sizes(scaling.read_text("utf-8"), found, operating)
    scaling.write_text(told, encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(with_figures(readme.read_text("utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
