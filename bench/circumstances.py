"""Where and when something was measured: figures without that are worth little."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import psutil

_LIBRARIES = ("prefect", "httpx", "slixmpp", "sqlmodel", "celery")
_SERVERS = ("prosody", "redis-server", "postgresql")
"""Debian's packages."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a reader must know of the machine.

    Attributes:
        moment: when the bench had ended, UTC.
        processor: as it names itself.
        cores: that it could use.
        memory: GB.
        system: operating system.
        versions: of what was measured, by name.
    """

    moment: str
    processor: str
    cores: int
    memory: int
    system: str
    versions: Mapping[str, str]

    @classmethod
    def of_now(cls) -> Self:
        """Return those of here and now."""
        return cls(
            moment=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            memory=round(psutil.virtual_memory().total / 2**30),
            system=_system(),
            versions=dict(_versions()),
        )


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _system() -> str:
    with suppress(OSError, KeyError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.system()


def _versions() -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)
    program = shutil.which("dpkg-query")
    for name in _SERVERS if program else ():
        asked = subprocess.run(  # noqa: S603 (found by its name)
            [str(program), "--show", "--showformat=${Version}", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout:
            yield name, asked.stdout
