"""Processes that are killed and started again: Prefect's server and its workers."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deployments.processes import PATIENCE, end_with_parent

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""By this variable a process of Prefect's knows which flow run it is."""


class Part:
    """One process, and what it starts.

    Args:
        name: what people call it.
        command: program and arguments.
        environment: all of its variables.
        log: file that its output is appended to.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: psutil.Popen | None = None
        self._is_wanted = False

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._is_wanted and self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it; from the main thread, for it ends with the thread that started it."""
        self._is_wanted = True
        with self.log.open("ab") as output:
            self._process = psutil.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def started(self) -> list[psutil.Process]:
        """Return the processes that it started, and those that they did."""
        with suppress(psutil.NoSuchProcess):
            if self._process:
                return list(self._process.children(recursive=True))
        return []

    def kill(self, *, all_of_it: bool = False) -> None:
        """End it as a crash does.

        Args:
            all_of_it: what it started, too, as when a machine goes down.
        """
        self._is_wanted = False
        started = self.started() if all_of_it else []
        _send(self._process, signal.SIGKILL)
        for process in started:
            _send(process, signal.SIGKILL)
        if self._process:
            self._process.wait()

    def ask_to_end(self) -> None:
        """Ask it to end, as an operator does."""
        if self._is_wanted:
            self._is_wanted = False
            _send(self._process, signal.SIGTERM)

    def end(self) -> None:
        """Ask it to end, and wait for that."""
        self.ask_to_end()
        with suppress(psutil.TimeoutExpired):
            if self._process:
                self._process.wait(PATIENCE)
        self.kill(all_of_it=True)


def flow_runs() -> dict[str, psutil.Process]:
    """Return the processes of flow runs among all that we started, by the flow run's id."""
    found: dict[str, psutil.Process] = {}
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with suppress(psutil.Error):
            if flow_run := process.environ().get(FLOW_RUN):
                found.setdefault(flow_run, process)
    return found


def _send(process: psutil.Process | psutil.Popen | None, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        if process and process.is_running():
            process.send_signal(number)
