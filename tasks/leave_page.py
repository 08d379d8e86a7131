"""The page of `lastword report`, left at its place after each run."""

from prefect import get_run_logger

from lastword.settings import Settings
from models.database import Database


async def leave_page(database: Database, settings: Settings) -> None:
    """Write the page. What is in its way is told in the log, and costs the run nothing.

    Args:
        database: ours.
        settings: they name the page's file, where one is wanted.
    """
    if (path := settings.report) is None:
        return
    try:
        # Only who wants the page pays for what draws it.
        from lastword.report.writing import write_report  # noqa: PLC0415

        await write_report(database, path, settings.no_run_after)
    except Exception as error:  # noqa: BLE001 (a page is no part of the work)
        get_run_logger().warning("LASTWORD_REPORT %s was not written: %s", path, error)
