"""A private PostgreSQL on a socket in a directory of its own, that can be restarted and killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

USER = "lastword"
PROGRAMS = ("initdb", "postgres", "psql")
_END = 60.0


class NotInstalled(Exception):
    """A program that is needed is not there."""


def programs() -> dict[str, str]:
    """Return where PostgreSQL's programs are, also where Debian hides them.

    Raises:
        NotInstalled: they are not found.
    """
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, homes)])
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    if not all(found.values()):
        raise NotInstalled(f"PostgreSQL's programs ({', '.join(PROGRAMS)}) are not installed")
    return {name: where for name, where in found.items() if where}


class PostgreSQL:
    """A server for the length of a `with` block; nobody outside of this machine reaches it.

    Args:
        options: of `postgres`, beside our own.

    Raises:
        NotInstalled: its programs are not found.
        RuntimeError: on entering: it does not start.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = programs()

    @property
    def socket(self) -> Path:
        """The directory of its socket."""
        if self._home is None:
            raise RuntimeError("PostgreSQL is not started: use it in a `with` block")
        return Path(self._home.name)

    @property
    def log(self) -> Path:
        """The file that it logs to."""
        return self.socket / "log"

    def __enter__(self) -> Self:
        # A socket's path may have 107 bytes, and the other user must get there.
        self._home = tempfile.TemporaryDirectory(prefix="lastword-pg-")
        user = _other_user()
        if user:
            shutil.chown(self.socket, user)
        options = ("-U", USER, "-A", "trust", "-E", "UTF8", "-N")
        try:
            subprocess.run(  # noqa: S603
                [self._programs["initdb"], "-D", self._data, *options],
                check=True,
                capture_output=True,
                user=user,
                cwd=self.socket,
            )
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._home:
            self._home.cleanup()
            self._home = None

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        command = [self._programs["postgres"], "-D", self._data, "-k", str(self.socket), "-F"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*command, "-c", "listen_addresses=", *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=_other_user(),
                cwd=self.socket,
                start_new_session=True,
            )
        self._await_ready(self._process)

    def stop(self, *, crash: bool = False) -> None:
        """End it: those who are connected are cut off, what is under way is undone.

        Args:
            crash: at once, so that it recovers from its log at the next start, as after a crash.
        """
        process, self._process = self._process, None
        if process is None:
            return
        # "Fast" and "immediate shutdown" (PostgreSQL manual, 19.5).
        process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        process.wait(_END)

    def restart(self, *, crash: bool = False) -> None:
        """End it, see `stop`, and start it again."""
        self.stop(crash=crash)
        self.start()

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        psql(self.socket, f"CREATE DATABASE {name}")
        return url_of(self.socket, name)

    @property
    def _data(self) -> str:
        return f"{self.socket}/data"

    def _await_ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the server says so in its pid file, as `pg_ctl start` does."""
        pid_file = Path(self._data, "postmaster.pid")
        while process.poll() is None:
            if pid_file.exists():
                lines = pid_file.read_text().split("\n")
                # Of one that crashed, the file is still there.
                if lines[0] == str(process.pid) and "ready" in "".join(lines[7:]):
                    return
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        raise RuntimeError(f"PostgreSQL does not start. It said:\n{self.log.read_text()}")


def psql(socket: Path, command: str, database: str = "postgres") -> None:
    """Have a statement executed by the superuser of the server at this socket."""
    where = ("-h", str(socket), "-U", USER, "-d", database)
    subprocess.run([programs()["psql"], *where, "-c", command], check=True, capture_output=True)  # noqa: S603


@contextmanager
def new_database(socket: Path) -> Iterator[str]:
    """Make an empty database for the length of the block; yield its URL."""
    name = f"t{uuid4().hex}"
    psql(socket, f"CREATE DATABASE {name}")
    yield url_of(socket, name)
    psql(socket, f"DROP DATABASE {name} WITH (FORCE)")


def url_of(socket: Path, name: str) -> str:
    """Return the URL of a database of the server at this socket."""
    return f"postgresql://{USER}@/{name}?host={socket}"


def _other_user() -> str | None:
    """Return whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
