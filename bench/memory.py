"""Where a bench has Prosody keep its data.

Prosody replaces a file for each status and activity. How long that takes is the disk's affair,
and some take longer the more they have just replaced; so it is in memory where there is some.
"""

import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 (a private directory is made in it)


def keep_data_in(directory: Path | None) -> None:
    """Have temporary directories made there; None: in memory, where the system has a place."""
    if directory or MEMORY.is_dir():
        tempfile.tempdir = str(directory or MEMORY)
