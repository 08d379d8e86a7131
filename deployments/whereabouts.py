"""Where `lastword up` is, for other commands on the same data directory."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FILE = "up.json"


class AlreadyUp(Exception):
    """Two on one data directory would run everything twice."""


@contextmanager
def known(data_dir: Path, api: str) -> Iterator[None]:
    """Leave word, for the length of the block, of the Prefect server in use here.

    Args:
        data_dir: ours.
        api: the server's API address.

    Raises:
        AlreadyUp: another `lastword up` is alive on this data directory.
    """
    file = data_dir / _FILE
    with not_up(data_dir):
        file.write_text(json.dumps({"pid": os.getpid(), "api": api}))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def not_up(data_dir: Path) -> Iterator[None]:
    """Keep `lastword up` off this data directory for the length of the block.

    Raises:
        AlreadyUp: one is alive on it.
    """
    with (data_dir / "up.lock").open("w") as lock:
        try:
            # The kernel lets go of it when we die, however that happens.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp(
                f"`lastword up` is running already on {data_dir}: stop it first"
            ) from None
        yield


def api_in_use(data_dir: Path) -> str | None:
    """Return the API address of the Prefect server to use from here, or None.

    `PREFECT_API_URL` wins; else a `lastword up` that is alive on this data directory.
    """
    if told := os.environ.get("PREFECT_API_URL"):
        return told
    try:
        word = json.loads((data_dir / _FILE).read_text())
        pid, api = int(word["pid"]), str(word["api"])
        os.kill(pid, 0)
        with not_up(data_dir):
            return None  # it died, and another process has got its number since
    except AlreadyUp:
        return api
    except (OSError, ValueError, KeyError):
        return None
