"""The page of `lastword report`, left at its place after each run."""

from pathlib import Path

from prefect import get_run_logger

from models.database import Database


async def leave_page(database: Database, path: Path | None) -> None:
    """Write the page. What is in its way is told in the log, and costs the run nothing.

    Args:
        database: ours.
        path: the page's file; None: nobody wants one.
    """
    if path is None:
        return
    try:
        # Only who wants the page pays for what draws it.
        from lastword.report.writing import write_report  # noqa: PLC0415

        await write_report(database, path)
    except Exception as error:  # noqa: BLE001 (a page is no part of the work)
        get_run_logger().warning("LASTWORD_REPORT %s was not written: %s", path, error)
