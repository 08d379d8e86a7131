"""A Prefect server for one `lastword run`, where no `lastword up` is running."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import environ
from pathlib import Path
from socket import create_server

from deployments import profile
from deployments.processes import PATIENCE, end_with_parent_and_stand_back

HOST = "127.0.0.1"


@contextmanager
def temporary_server(data_dir: Path, cluster: profile.Cluster | None = None) -> Iterator[str]:
    """Start a server on a free port for the length of the block; yield its API address.

    In a session of its own, so that Ctrl-C reaches the run and not, before it, the server that
    the run reports to. It may not answer yet when the block begins.

    Args:
        data_dir: Prefect's files go to `prefect/` in it, the log to `logs/`.
        cluster: what it keeps its data in; None: all in one file and in memory.
    """
    with create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    api = f"http://{HOST}:{port}/api"
    logs = data_dir / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = profile.server_environment(data_dir / "prefect", api, HOST, cluster)
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", HOST)
    with (logs / "server.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter)
            (*command, "--port", str(port)),
            env={**environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=end_with_parent_and_stand_back,  # noqa: PLW1509 (system calls, no lock)
        )
    try:
        yield api
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.kill()
        process.wait()
