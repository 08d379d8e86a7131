"""A whole process, measured from its start to its end, with all that it starts."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import Any, Self

import psutil

from deployments.processes import end_with_parent

_EVERY = 0.2
"""Seconds between two looks at its memory."""
_SAID = 2000
"""Characters of what a process said before it broke."""


class Broke(Exception):
    """A process that was to be measured ended with an error."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a process used.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds of CPU, user and system, of it and all that it started.
        memory: MB at most; of what processes share, each has its part (PSS, proc(5)).
        said: what it printed last, from JSON.
    """

    seconds: float
    cpu: float
    memory: float
    said: Any


def measured(module: str, told: object, environment: Mapping[str, str]) -> Used:
    """Run a Python module to its end.

    Args:
        module: run as `python -m`; it prints JSON in one line.
        told: given to it as JSON, on standard input.
        environment: all of its variables.

    Raises:
        Broke: its exit code was not 0; the message has the last of what it said.
    """
    with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        json.dump(told, given)
        given.seek(0)
        began = monotonic()
        process = subprocess.Popen(  # noqa: S603 (our own interpreter)
            [sys.executable, "-m", module],
            env=dict(environment),
            stdin=given,
            stdout=output,
            stderr=errors,
            preexec_fn=end_with_parent,  # noqa: PLW1509 (one system call, which takes no lock)
        )
        with _Memory(process.pid) as memory:
            _, status, usage = os.wait4(process.pid, 0)
        seconds = monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read()[-_SAID:]
            raise Broke(f"{module} ended with exit code {process.returncode}: {said}")
        return Used(
            seconds=seconds,
            cpu=usage.ru_utime + usage.ru_stime,
            memory=memory.most / 1e6,
            said=json.loads(output.read().splitlines()[-1]),
        )


def cpu_of(process: psutil.Process) -> float:
    """Return the seconds of CPU that a process and its living children have used so far."""
    used = 0.0
    for it in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = it.cpu_times()
            used += times.user + times.system
    return used


class _Memory:
    """Looks at the memory of a process and its children while its block lasts."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            with suppress(psutil.Error):
                process = psutil.Process(self._pid)
                family = [process, *process.children(recursive=True)]
                self.most = max(self.most, sum(_proportional(it.pid) for it in family))


def _proportional(pid: int) -> int:
    """Return the bytes of a process, with its part of what it shares; 0: it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
