"""A PostgreSQL of our own, reached by a socket in its own directory, gone in the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_PROGRAMS = ("initdb", "postgres", "psql")
USER = "lastword"


class NotInstalled(Exception):
    """A program that is needed is not there."""


@contextmanager
def private_postgresql() -> Iterator[Path]:
    """Run one for the length of the block; yield the directory of its socket.

    Raises:
        NotInstalled: PostgreSQL's programs are not found.
    """
    programs, user = _programs(), _other_user()
    # A socket's path may have 107 bytes, and `user` must get there.
    with tempfile.TemporaryDirectory(prefix="lastword-pg-") as home:
        if user:
            shutil.chown(home, user)
        data = f"{home}/data"
        subprocess.run(  # noqa: S603
            [programs["initdb"], "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
            user=user,
            cwd=home,
        )
        server = [programs["postgres"], "-D", data, "-k", home, "-F", "-c", "listen_addresses="]
        with (
            Path(home, "log").open("wb") as log,
            subprocess.Popen(server, stderr=log, stdout=log, user=user, cwd=home) as process,  # noqa: S603
        ):
            try:
                _await_ready(process, Path(data))
                yield Path(home)
            finally:
                process.terminate()
                process.wait(60)


@contextmanager
def new_database(socket: Path) -> Iterator[str]:
    """Make an empty database for the length of the block; yield its URL."""
    name = f"t{uuid4().hex}"
    psql(socket, f"CREATE DATABASE {name}")
    yield f"postgresql://{USER}@/{name}?host={socket}"
    psql(socket, f"DROP DATABASE {name} WITH (FORCE)")


def psql(socket: Path, command: str, database: str = "postgres") -> None:
    """Have a statement executed."""
    to = ["-h", str(socket), "-U", USER, "-d", database]
    subprocess.run([_programs()["psql"], *to, "-c", command], check=True, capture_output=True)  # noqa: S603


def _programs() -> dict[str, str]:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, homes)])
    found = {name: shutil.which(name, path=path) for name in _PROGRAMS}
    if not all(found.values()):
        raise NotInstalled(f"PostgreSQL's programs ({', '.join(_PROGRAMS)}) are not installed")
    return {name: where for name, where in found.items() if where}


def _other_user() -> str | None:
    """Return whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _await_ready(process: "subprocess.Popen[bytes]", data: Path) -> None:
    """Wait until the server says so in its pid file, as `pg_ctl start` does."""
    pid_file = data / "postmaster.pid"
    while process.poll() is None:
        if pid_file.exists() and pid_file.read_text().rstrip().endswith("ready"):
            return
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError((data.parent / "log").read_text())
