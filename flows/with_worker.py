"""A flow run ends with the worker that started it, also where everything else died by kill -9.

Prefect's worker starts flow runs in sessions of their own. One that is left alone asks a server
that is gone for minutes, and holds the run lock meanwhile: every other run would be cancelled.
"""

import os
import signal
import threading
from time import sleep

VARIABLE = "LASTWORD_RUNS_END_WITH_WORKER"
"""Set by `lastword up`: other workers may be replaced while their runs go on."""
PATIENCE = 10.0
"""Seconds between asking ourselves to end and ending."""
_LOOK = 1.0


def end_with_worker() -> None:
    """Watch whether our parent lives, if that is wanted; when it dies, end."""
    if os.environ.get(VARIABLE):
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    # Not prctl(2): that signal comes when the thread that started us ends, and whose that is,
    # Prefect decides.
    while os.getppid() == parent != 1:  # 1: it was dead before we looked
        sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)
