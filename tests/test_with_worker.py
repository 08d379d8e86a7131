"""A flow run ends with its worker, however that ends, and whatever it does itself."""

import asyncio
import sys

import psutil
import pytest

from flows.with_worker import VARIABLE

RUN = """
import signal, time
from flows import with_worker
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as one that reports to a server which is gone
with_worker.PATIENCE = with_worker._LOOK = 0.1
with_worker.end_with_worker()
print("begun", flush=True)
time.sleep(600)
"""
WORKER = """
import subprocess, sys
run = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
run.stdout.readline()
print(run.pid, flush=True)
run.wait()
"""


async def test_its_worker_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, RUN), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout
    run = psutil.Process(int(await worker.stdout.readline()))
    worker.kill()
    await worker.communicate()
    async with asyncio.timeout(20):
        while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)
