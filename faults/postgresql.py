"""A PostgreSQL that can be restarted in the middle of a run."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fixtures_database import _await_ready, _other_user, _programs, _psql


class PostgreSQL:
    """One server with one database.

    Args:
        home: for its data, its log and its socket.

    Attributes:
        url: of the database.
    """

    def __init__(self, home: Path) -> None:
        programs = _programs()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed: scripts/install-debian postgresql")
        self.url = f"postgresql://lastword@/faults?host={home}"
        self._home, self._programs, self._user = home, programs, _other_user()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the server's files and the database, and leave it running."""
        if self._user:
            shutil.chown(self._home, self._user)
        how = ("-U", "lastword", "-A", "trust", "-E", "UTF8", "-N")
        command = (self._programs["initdb"], "-D", f"{self._home}/data", *how)
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self._home)
        self.start()
        _psql(self._home, "CREATE DATABASE faults")

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        data = self._home / "data"
        command = (self._programs["postgres"], "-D", str(data), "-k", str(self._home))
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                (*command, "-c", "listen_addresses="),
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._home,
            )
        _await_ready(self._process, data)

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it by a signal: SIGINT breaks off what is under way, SIGQUIT is a crash."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def restart(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it, and start it again."""
        self.end(number)
        self.start()


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Give a server for the length of the block."""
    # Not pytest's own directory: a socket's path may have 107 bytes, and its user must get there.
    with tempfile.TemporaryDirectory(prefix="lastword-pg-") as home:
        server = PostgreSQL(Path(home))
        try:
            server.make()
            yield server
        finally:
            server.end()
