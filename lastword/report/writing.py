"""Writes the report to its file: whoever reads it meets the old page or the new one, whole."""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from lastword.report.page import page
from lastword.report.reading import report_on
from models.database import Database
from models.types import now


async def write_report(database: Database, path: Path, no_run_after: timedelta) -> None:
    """Write the page.

    Args:
        database: ours.
        path: the file; what is there is replaced.
        no_run_after: see `page`.

    Raises:
        DatabaseTrouble: our tables cannot be read.
        OSError: the file cannot be written.
    """
    replace(path, page(await report_on(database, now()), no_run_after))


def replace(path: Path, text: str) -> None:
    """Write a text file in one step; nothing is left beside it.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        with suppress(FileNotFoundError):  # who has let others read the page, goes on doing so
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
