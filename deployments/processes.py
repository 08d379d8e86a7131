"""Child processes that end with us, and all that they started, however either ends. Linux only."""

import asyncio
import ctypes
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 15.0
"""Seconds between asking a process to end and ending it."""

_BACK = 5
"""Steps of niceness: a third of the weight of others."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Child:
    """A running child and where its output goes."""

    name: str
    process: asyncio.subprocess.Process
    log: Path


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind (prctl(2), PR_SET_CHILD_SUBREAPER).

    Prefect's worker starts flow runs in sessions of their own: without this, one whose worker was
    killed would go on, out of sight.
    """
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, even by kill -9 (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stand_back() -> None:
    """Let others go first where processors are scarce, for good (nice(2)); for a process's start.

    Linux may weigh sessions instead of processes (sched(7), autogroup): then the session's weight
    counts, and this is to be called in a session of its own.
    """
    os.nice(_BACK)
    with suppress(OSError):
        group = os.open("/proc/self/autogroup", os.O_WRONLY)
        try:
            os.write(group, str(_BACK).encode("ascii"))
        finally:
            os.close(group)


def end_with_parent_and_stand_back() -> None:
    """Do both, at a process's start."""
    end_with_parent()
    stand_back()


@asynccontextmanager
async def child(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    stands_back: bool = False,
) -> AsyncIterator[Child]:
    """Run a command for the length of the block, then end it and all it started.

    Args:
        name: what people call it.
        command: program and arguments.
        environment: variables beside those of this process.
        log: file that its output is appended to.
        stands_back: see `stand_back`.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal goes to the whole foreground group: only we act on it, in order.
            start_new_session=True,
            preexec_fn=end_with_parent_and_stand_back if stands_back else end_with_parent,
        )
    try:
        yield Child(name, process, log)
    finally:
        await asyncio.shield(_end(process))


async def end_orphans() -> None:
    """End what is left of all that our children started; call it when they have ended."""
    await asyncio.to_thread(_end_all, psutil.Process().children(recursive=True))


async def _end(process: asyncio.subprocess.Process) -> None:
    started: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), PATIENCE)
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await asyncio.to_thread(_end_all, started)


def _end_all(processes: Sequence[psutil.Process]) -> None:
    """Ask processes to end, and end those that do not."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, PATIENCE / 3)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, PATIENCE / 3)
