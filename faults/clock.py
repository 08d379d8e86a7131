"""A clock of our own for processes of Last Word, which can be set while they run (libfaketime).

Their monotonic clock goes on, as a computer's does when its time is set. Nothing else on the
machine sees it.
"""

from datetime import timedelta
from pathlib import Path

from demo.command import LastWord

CACHED = 1.0
"""Seconds until a process sees that the clock was set."""
_LIBRARIES = "lib/*/faketime/libfaketimeMT.so.1"


class Clock:
    """Set by `set`; processes that are started after it was made obey.

    Args:
        lastword: whose processes obey.
        directory: for its file.
    """

    def __init__(self, lastword: LastWord, directory: Path) -> None:
        (library,) = Path("/usr").glob(_LIBRARIES)
        self._file = directory / "clock"
        self.set(timedelta())
        lastword.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": f"{CACHED:.0f}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: timedelta) -> None:
        """Set it.

        Args:
            ahead: of the machine's; negative: behind.
        """
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead.total_seconds():+.0f}\n")
        new.replace(self._file)
