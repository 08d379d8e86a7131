"""Rows of accounts in a file: read from CSV and JSON with every problem placed, and written."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from lastword.usage import UsageError
from lastword.wiring import Wiring
from models import Account

REQUIRED = ("name", "source", "jid")
_PASSWORD = "password"  # noqa: S105 (a column's name)
COLUMNS = (*Wiring.__slots__, _PASSWORD)
"""Of an imported file; an exported one has no password."""

_BOOLEANS = {"active": ("no", "yes"), "mentions": ("drop", "keep"), "hashtags": ("drop", "keep")}


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file, and where: `people.csv, line 3, column jid: …`."""

    place: str
    column: str | None
    text: str

    def __str__(self) -> str:
        place = ", column ".join(part for part in (self.place, self.column) if part)
        return f"{place}: {self.text}"


class ImportTrouble(UsageError):
    """Rows that cannot be imported; nothing was.

    Args:
        problems: all of them.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(map(str, self.problems)))

    @property
    def lines(self) -> list[str]:
        if len(self.problems) == 1:
            return [f"{self.problems[0]} (nothing was imported)"]
        return [*map(str, self.problems), f"{len(self.problems)} problems: nothing was imported"]


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a file: where it stands, and its cells that are not empty, as typed."""

    place: str
    cells: dict[str, str]
    password: SecretStr | None = None

    @classmethod
    def of(cls, place: str, cells: dict[str, str]) -> "Row":
        """Return the row of these cells; a password is taken as it stands."""
        password = cells.pop(_PASSWORD, None)
        stripped = {column: text.strip() for column, text in cells.items()}
        filled = {column: text for column, text in stripped.items() if text}
        return cls(place, filled, SecretStr(password) if password else None)


def read(file: Path, format_: Format | None = None) -> list[Row]:
    """Return the rows of a file.

    Args:
        file: CSV or JSON, in UTF-8.
        format_: None: by the file's name, CSV where that does not end in `.json`.

    Raises:
        UsageError: it cannot be read, or is neither; ImportTrouble where rows are at fault.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}, line {line}: not in UTF-8: save the file as UTF-8") from None
    if not text.strip():
        raise UsageError(f"{file} is empty: its first line names the columns, {','.join(COLUMNS)}")
    if format_ is None:
        format_ = Format.JSON if file.suffix.lower() == ".json" else Format.CSV
    return _read_json(text, str(file)) if format_ is Format.JSON else _read_csv(text, str(file))


def write(accounts: Iterable[Account], format_: Format) -> str:
    """Return accounts as the text of a file that can be imported; never a secret."""
    wirings = [Wiring.of(account) for account in accounts]
    rows = [wiring.typed() for wiring in wirings]
    if format_ is Format.JSON:
        true = [{"length": wiring.length, "active": wiring.active} for wiring in wirings]
        items = [row | own for row, own in zip(rows, true, strict=True)]
        return json.dumps(items, ensure_ascii=False, indent=2) + "\n"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, Wiring.__slots__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _read_csv(text: str, file: str) -> list[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, problems = [], []
    header: list[str] | None = None
    first = 1
    try:
        for cells in lines:
            place, first = f"{file}, line {first}", lines.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header([cell.strip().lower() for cell in cells], place)
            elif len(cells) != len(header):
                text = f"{len(cells)} cells under {len(header)} columns"
                problems.append(Problem(place, None, text))
            else:
                rows.append(Row.of(place, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise ImportTrouble(
            [Problem(f"{file}, line {lines.line_num}", None, f"no CSV: {error}")]
        ) from None
    if problems:
        raise ImportTrouble(problems)
    return rows


def _header(columns: list[str], place: str) -> list[str]:
    if missing := [column for column in REQUIRED if column not in columns]:
        text = f"no column {', '.join(missing)}: the columns are {','.join(COLUMNS)}, with commas"
        raise ImportTrouble([Problem(place, None, text)])
    problems = [
        Problem(place, column, f"unknown: there is {', '.join(COLUMNS)}")
        for column in columns
        if column not in COLUMNS
    ]
    problems += [
        Problem(place, column, "twice in the header")
        for column in sorted(set(columns))
        if columns.count(column) > 1
    ]
    if problems:
        raise ImportTrouble(problems)
    return columns


def _read_json(text: str, file: str) -> list[Row]:
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{file}, line {error.lineno}, character {error.colno}"
        raise ImportTrouble([Problem(place, None, f"no JSON: {error.msg}")]) from None
    except RecursionError:
        raise ImportTrouble([Problem(file, None, "no list of accounts")]) from None
    except ValueError:  # Python refuses to read one of thousands of digits
        raise ImportTrouble([Problem(file, None, "a number in it is too long")]) from None
    if not isinstance(items, list):
        raise ImportTrouble([Problem(file, None, "no list: it is [{…}, {…}]")])
    problems: list[Problem] = []
    rows = [_item(f"{file}, item {number}", item, problems) for number, item in enumerate(items, 1)]
    if problems:
        raise ImportTrouble(problems)
    return rows


def _item(place: str, item: Any, problems: list[Problem]) -> Row:  # noqa: ANN401 (JSON)
    """Return an item's row; what is wrong with it is added to the problems."""
    if not isinstance(item, dict):
        problems.append(Problem(place, None, 'no account: it is {"name": …, "source": …, …}'))
        return Row(place, {})
    cells = {}
    for column, value in item.items():
        if column not in COLUMNS:
            text = f"unknown: there is {', '.join(COLUMNS)}"
            problems.append(Problem(place, column, text))
        elif column in _BOOLEANS and isinstance(value, bool):
            cells[column] = _BOOLEANS[column][value]
        elif column == "length" and type(value) is int:
            cells[column] = str(value)
        elif value is not None and not isinstance(value, str):
            problems.append(Problem(place, column, "not a text"))
        else:
            cells[column] = value or ""
    return Row.of(place, cells)
