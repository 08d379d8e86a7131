"""The Celery app of the bench: the same attempt at the same account, retried as often.

Set up as one does whose tasks must not be lost: acknowledged when done, one at a time in advance.

Celery knows no async tasks. BENCH_POOL says how they are run all the same. `threads`: each thread
waits for its coroutine on one loop that all share, with one HTTP client and one database, as our
flow has it. `prefork`: each process has a loop of its own, and does one account at a time. Threads
serve this work better: with 60 accounts, eight processes took 1.7 times the CPU and 3.3 times the
memory, and were half as fast.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from celery import Celery, Task
from celery.signals import (
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
)

from lastword.attempt import attempt
from lastword.errors import Transient
from lastword.runs import AccountRef
from lastword.services import Services, open_services
from lastword.settings import Settings

POOL = os.environ.get("BENCH_POOL", "threads")
RETRIES = int(os.environ.get("BENCH_RETRIES", "2"))

app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


class _Loop:
    """One event loop in a thread of its own, with the services open on it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self._opened: AbstractAsyncContextManager[Services] = open_services(Settings())
        self.services: Services = self.run(self._opened.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        self.run(self._opened.__aexit__(None, None, None))


_here: list[_Loop] = []


def _open(**_: object) -> None:
    _here.append(_Loop())


def _close(**_: object) -> None:
    while _here:
        _here.pop().close()


(worker_process_init if POOL == "prefork" else worker_init).connect(_open, weak=False)
(worker_process_shutdown if POOL == "prefork" else worker_shutdown).connect(_close, weak=False)


@app.task(bind=True, name="sync", max_retries=RETRIES)  # type: ignore[untyped-decorator]
def sync(self: "Task[Any, Any]", key: int, name: str, run_id: int) -> str:
    """Sync one account, and return what became of it."""
    here, tried = _here[0], self.request.retries
    work = attempt(AccountRef(key, name), run_id, here.services, last=tried >= RETRIES)
    try:
        outcome, _ = here.run(work)
    except Transient as error:
        raise self.retry(
            countdown=here.services.settings.retry_seconds * (tried + 1), exc=error
        ) from None
    return str(outcome.kind.value)
