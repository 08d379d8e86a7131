"""A Redis of our own on loopback, gone in the end."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from demo.postgresql import NotInstalled

_HOST = "127.0.0.1"
_PATIENCE = 20.0


@contextmanager
def private_redis(*settings: str, password: str = "") -> Iterator[str]:
    """Run one for the length of the block; yield its URL.

    Args:
        settings: lines for its configuration.
        password: what it asks for, where it asks for any.

    Raises:
        NotInstalled: there is no `redis-server`.
    """
    if (program := shutil.which("redis-server")) is None:
        raise NotInstalled("redis-server is not installed")
    with socket.create_server((_HOST, 0)) as probe:
        port = probe.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(prefix="lastword-redis-") as home,
        # Its settings come by standard input: a password is no argument.
        subprocess.Popen(  # noqa: S603
            [program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=home
        ) as server,
    ):
        try:
            asks = [f'requirepass "{password}"'] if password else []
            lines = (f"port {port}", f"bind {_HOST}", 'save ""', f"dir {home}", *asks, *settings)
            if server.stdin is None:  # pragma: no cover: it is a pipe
                raise AssertionError
            server.stdin.write("\n".join(lines))
            server.stdin.close()
            _await_ready(server, port)
            yield f"redis://{f':{password}@' if password else ''}{_HOST}:{port}/0"
        finally:
            server.terminate()


def _await_ready(server: "subprocess.Popen[str]", port: int) -> None:
    ends = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < ends:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("redis-server did not start")
