"""`lastword report [FILE]`: how it went lately, as one page of HTML."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli.errors import EXIT_OK, UsageError
from cli.output import print_json, say
from lastword.report.page import page
from lastword.report.reading import report_on
from lastword.report.writing import replace
from lastword.settings import Settings
from models.database import Database
from models.types import now


async def report(
    file: Path = Path("lastword-report.html"),
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write one page of HTML: runs, durations, accounts that need their owner, hosts, failures.

    It holds names of accounts and what was said of them, and no password or post. It works
    without any network.

    Args:
        file: Where to; what is there is replaced.
        json: Print what the page tells as JSON, and write no file.
    """
    settings = Settings()
    async with Database.open(settings.database) as database:
        told = await report_on(database, now())
    if json:
        print_json(asdict(told))
        return EXIT_OK
    try:
        replace(file, page(told, settings.no_run_after))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    say(f"Written to {file}")
    return EXIT_OK
