"""`lastword why NAME`: what happened last, why, and what to do."""

import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from cli.errors import EXIT_OK
from cli.output import plain, print_json
from lastword import accounts, runs
from lastword.diagnosis import diagnosis, figures
from lastword.holder.view import told_of
from lastword.holder.wishes import PUBLISHER
from lastword.settings import Settings
from models.database import Database
from models.types import now

LINES = 12
"""What an answer takes of a terminal at most: history gives way."""
_SPARE = ("Better", "Before", "")
_WIDE = 10_000


async def why(name: str, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Tell what happened to an account last, why, when it is tried again, and what to do.

    Args:
        name: The account's name.
        json: Print it as JSON.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.find(database, name)
        history = await runs.history(database, account.id or 0)
        last_run = await runs.last_began(database)
        holder = await told_of(database, account) if account.publisher == PUBLISHER else None
    if json:
        print_json(figures(account, history, now(), last_run) | {"holder": holder})
        return EXIT_OK
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    lines = diagnosis(account, history, now(), last_run, holder)
    console.print(table_of(fitting(lines, console)))
    return EXIT_OK


def fitting(lines: list[tuple[str, str]], console: Console) -> list[tuple[str, str]]:
    """Leave out what matters least, the oldest first, until the rest fits."""
    while len(console.render_lines(table_of(lines))) > LINES:
        spare = [line for line in lines if line[0] in _SPARE]
        if not spare:
            break
        lines = [line for line in lines if line is not spare[-1]]
    return lines


def table_of(lines: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for about, text in lines:
        table.add_row(f"[bold]{about}[/]", plain(text))
    return table
