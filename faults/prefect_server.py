"""A Prefect server that can be killed, and started again at the same address."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from demo.stage import free_port
from deployments.processes import end_with_parent
from deployments.profile import server_environment

_START = 120.0
_STOP = 20.0
_UNRECORDED = {
    # What a run tells of its task runs is taken, and not written down: our own tables are what is
    # looked at here, and recording 800 task runs costs more than all else.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}


class PrefectServer:
    """One server, with its database in a directory of its own.

    Args:
        home: Prefect's.

    Attributes:
        port: on loopback.
        api: its API address.
    """

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not answer yet."""
        inherited = {key: it for key, it in os.environ.items() if not key.startswith("PREFECT_")}
        command = (sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1")
        with (self._home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                (*command, "--port", str(self.port)),
                env={**inherited, **server_environment(self._home, self.api), **_UNRECORDED},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 (one system call, which takes no lock)
            )

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it does not.
        """
        end = monotonic() + _START
        while monotonic() < end:
            try:
                with urlopen(f"{self.api}/health", timeout=5):  # noqa: S310 (loopback)
                    return
            except (URLError, OSError):
                sleep(0.1)
        raise RuntimeError((self._home / "server.log").read_text())

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and be sure that it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def prefect_server(home: Path) -> Iterator[PrefectServer]:
    """Give a server that answers, and end it with the block."""
    server = PrefectServer(home)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.end()
