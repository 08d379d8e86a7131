"""A clock of our own for processes of Last Word, which can be set while they run.

Nothing else on the machine sees it; see clock.c.
"""

import struct
import subprocess
from datetime import timedelta
from pathlib import Path

from demo.command import LastWord

_SOURCE = Path(__file__).with_suffix(".c")


class Clock:
    """Set by `set`, at once, for all processes that were started after it was made.

    Args:
        lastword: whose processes obey.
        directory: for its files.
    """

    def __init__(self, lastword: LastWord, directory: Path) -> None:
        library, self._file = directory / "clock.so", directory / "clock"
        warnings = ("-Wall", "-Wextra", "-Werror")
        subprocess.run(
            ("gcc", "-O2", "-shared", "-fPIC", *warnings, "-o", str(library), str(_SOURCE)),
            check=True,
        )
        self._file.touch()
        self.set(timedelta())
        lastword.environment |= {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(self._file)}

    def set(self, ahead: timedelta) -> None:
        """Set it.

        Args:
            ahead: of the machine's; negative: behind.
        """
        with self._file.open("r+b", buffering=0) as file:  # in place: it is mapped
            file.write(struct.pack("=q", round(ahead.total_seconds())))
