"""How large the tables of a SQLite database are, with their indexes (SQLite's dbstat table)."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_SIZES = (
    "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name)"
    " WHERE aggregate = TRUE GROUP BY tbl_name"
)
EVENTS = ("events", "event_resources")
RUNS = (
    *("flow_run", "flow_run_state", "task_run", "task_run_state", "task_run_state_cache"),
    *("log", "artifact", "artifact_collection"),
)
DAYS_AGO = 8

# What Prefect's vacuum goes by.
_MOMENTS = (("flow_run", "end_time"), ("events", "occurred"), ("event_resources", "occurred"))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes: of tables in use, and of the file with what it keeps free for later."""

    tables: dict[str, int]
    file: int
    free: int

    def of(self, *tables: str) -> int:
        """Return how many bytes some tables take."""
        return sum(self.tables.get(table, 0) for table in tables)


def sizes(file: Path) -> Sizes:
    """Return how large a database is, its write-ahead log included."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        tables: dict[str, int] = dict(connection.execute(_SIZES).fetchall())
        ((pages,), (free,), (page,)) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
    return Sizes(tables, pages * page, free * page)


def rows(file: Path, *tables: str) -> int:
    """Return how many rows some tables have."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        counts = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in tables
        )
        return sum(counts)


def settled(file: Path, *, deadline: float = 90) -> None:
    """Return when no more events arrive: Prefect writes them after a run has ended."""
    ends, before, since = time.monotonic() + deadline, -1, time.monotonic()
    while time.monotonic() < ends:
        if (now := rows(file, *EVENTS)) != before:
            before, since = now, time.monotonic()
        if time.monotonic() - since > 5:  # noqa: PLR2004 (seconds: longer than a batch waits)
            return
        time.sleep(1)


def grow_old(file: Path) -> None:
    """Let all that is there be eight days old."""
    with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
        for table, moment in _MOMENTS:
            connection.execute(
                f"UPDATE {table} SET {moment} ="  # noqa: S608
                f" strftime('%Y-%m-%d %H:%M:%f000', {moment}, '-{DAYS_AGO} days')"
                f" WHERE {moment} IS NOT NULL"
            )


def vacuumed(file: Path, *, deadline: float = 120) -> bool:
    """Return whether Prefect removed all runs and their events in time."""
    ends = time.monotonic() + deadline
    while time.monotonic() < ends:
        # Events about the server's own services arrive meanwhile: those are young.
        old = _old_rows(file)
        if not old and not rows(file, "flow_run", "task_run"):
            return True
        time.sleep(1)
    return False


def _old_rows(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        counts = (
            connection.execute(
                f"SELECT count(*) FROM {table} WHERE {moment} < datetime('now', '-7 days')"  # noqa: S608
            ).fetchone()[0]
            for table, moment in _MOMENTS
        )
        return sum(counts)
