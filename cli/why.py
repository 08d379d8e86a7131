"""`lastword why NAME`: what happened last, why, and what to do."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from cli.errors import EXIT_OK
from cli.output import plain, print_json
from lastword import accounts, runs
from lastword.diagnosis import diagnosis
from lastword.settings import Settings
from models.database import Database
from models.types import now


async def why(name: str, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Tell what happened to an account last, why, when it is tried again, and what to do.

    Args:
        name: The account's name.
        json: Print it as JSON.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.find(database, name)
        history = await runs.history(database, account.id or 0)
    lines = diagnosis(account, history, now())
    if json:
        print_json([{"about": about, "text": text} for about, text in lines])
        return EXIT_OK
    table = Table.grid(padding=(0, 2))
    for about, text in lines:
        table.add_row(f"[bold]{about}[/]", plain(text))
    Console().print(table, highlight=False)
    return EXIT_OK
