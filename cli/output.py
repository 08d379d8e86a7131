"""What commands print: data on stdout, messages on stderr."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 10_000


def say(message: str) -> None:
    """Print a message for people on stderr."""
    print(message, file=sys.stderr)  # noqa: T201


def print_json(value: object) -> None:
    """Print a value as JSON on stdout, moments in ISO 8601."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_of_moment))  # noqa: T201


def _of_moment(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout; whole, whatever the width, where that is no terminal."""
    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(plain, row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    # Written by ourselves: rich would leave with code 1 where nobody reads any more.
    with console.capture() as written:
        console.print(table)
    sys.stdout.write(written.get())


def plain(text: str) -> Text:
    """Return text that a terminal shows and does not obey."""
    return Text("".join("�" if unicodedata.category(one) == "Cc" else one for one in text))
