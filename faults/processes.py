"""All processes of one installation, wherever they came from."""

import asyncio
from contextlib import suppress
from pathlib import Path

import psutil

GONE = 40.0
"""Seconds until nothing may be left of what was killed."""


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Return the living processes that work on a data directory, by their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = process.environ().get("LASTWORD_DATA_DIR")
            if told == str(data_dir) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def the_one(data_dir: Path, *words: str) -> psutil.Process:
    """Return the one process of an installation whose command has these words."""
    (found,) = [it for it in processes_of(data_dir) if set(words) <= set(it.cmdline())]
    return found


async def check_none_left(data_dir: Path) -> None:
    """Wait until no process of an installation is left.

    Raises:
        TimeoutError: some stay; the message says which.
    """
    try:
        async with asyncio.timeout(GONE):
            while processes_of(data_dir):
                await asyncio.sleep(0.1)
    except TimeoutError:
        left = [" ".join(it.cmdline()) for it in processes_of(data_dir)]
        raise TimeoutError(f"left behind: {left}") from None
