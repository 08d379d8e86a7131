"""A disk that is soon full: a small file system in memory."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[bool]:
    """Mount a small disk at a directory for the length of the block; yield whether we may."""
    directory.mkdir(parents=True)
    options = f"size={mebibytes}m,mode=0700,uid={os.getuid()}"
    command = ("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory))
    is_mounted = not subprocess.run(command, check=False, capture_output=True).returncode
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(("umount", "-l", str(directory)), check=True)


def fill(ballast: Path) -> None:
    """Write a file until there is no room for another byte."""
    with ballast.open("ab", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
            size //= 2
