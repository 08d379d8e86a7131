"""A private Redis on loopback, for the length of a block."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import psutil

from demo.prosody import HOST, free_port


@contextmanager
def redis_server() -> Iterator[tuple[str, psutil.Process]]:
    """Start a server that keeps everything in memory; yield its URL and its process.

    Raises:
        RuntimeError: it is not installed.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("Redis is not installed: run `scripts/install-debian redis-server`")
    port = free_port()
    with TemporaryDirectory(prefix="lastword-redis-") as directory:
        options = ["--port", str(port), "--bind", HOST, "--save", "", "--dir", directory]
        with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:  # noqa: S603
            try:
                yield f"redis://{HOST}:{port}/0", psutil.Process(server.pid)
            finally:
                server.terminate()
