"""`lastword accounts import` and `export`: many accounts at once."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli.accounts import Flag, open_keyring
from cli.errors import EXIT_OK, UsageError
from cli.output import say
from lastword import accounts, rows
from lastword.importing import Imported, import_rows
from lastword.rows import Format
from lastword.settings import Settings
from models.database import Database


async def import_(
    file: Path,
    /,
    *,
    format_: Annotated[Format | None, Parameter(name="--format")] = None,
    update: Flag = False,
    dry_run: Flag = False,
) -> int:
    """Import accounts from CSV or JSON: all of them, or none where a row is at fault.

    Args:
        file: Columns name, source, jid, and where wanted publisher, template, active, password.
        format_: CSV or JSON; by the file's name, if it is not said.
        update: Change accounts that are there already; empty cells leave them as they are.
        dry_run: Check everything and change nothing.
    """
    given = rows.read(file, format_)
    settings = Settings()
    async with Database.open(settings.database) as database:
        keyring = None
        if any(row.password for row in given):
            keyring = await open_keyring(settings, database)
        done = await import_rows(database, given, keyring=keyring, update=update, dry_run=dry_run)
    _tell(done, dry_run=dry_run)
    return EXIT_OK


def _tell(done: Imported, *, dry_run: bool) -> None:
    would = "Would import" if dry_run else "Imported"
    say(
        f"{would}: {len(done.added)} added, {len(done.updated)} changed,"
        f" {len(done.unchanged)} as before"
    )
    if done.without_password:
        say(f"Without a password yet: {', '.join(done.without_password)}")
        say("Set each by `lastword accounts edit NAME --password`")


async def export(
    *,
    format_: Annotated[Format, Parameter(name="--format")] = Format.CSV,
    output: Path | None = None,
) -> int:
    """Export accounts for `accounts import`, without their passwords.

    Args:
        format_: CSV or JSON.
        output: The file; stdout, if it is not said.
    """
    async with Database.open(Settings().database) as database:
        found = await accounts.list_accounts(database)
    text = rows.write(found, format_)
    if output is None:
        sys.stdout.write(text)
        return EXIT_OK
    _write(output, text)
    say(f"Exported {len(found)} accounts to {output}")
    return EXIT_OK


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
