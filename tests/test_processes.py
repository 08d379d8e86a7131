"""Children end with us, and so does what they started."""

import asyncio
import os
import sys
from pathlib import Path

from deployments.processes import child

GRANDPARENT = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as grandchild:
    print(grandchild.pid, flush=True)
"""


async def test_a_child_and_its_own_children_end_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    async with child("a parent", (sys.executable, "-c", GRANDPARENT), {}, log) as running:
        async with asyncio.timeout(20):
            while not (text := log.read_text().strip()):
                await asyncio.sleep(0.01)
    grandchild = int(text)
    assert running.process.returncode is not None
    async with asyncio.timeout(20):
        while is_alive(grandchild):
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody waits for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_output_and_environment(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    script = "import os; print(os.environ['WORD'])"
    async with child("a child", (sys.executable, "-c", script), {"WORD": "said"}, log) as running:
        await running.process.wait()
    assert log.read_text() == "said\n"


async def test_one_that_stands_back_gives_way_to_others(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    command = (sys.executable, "-c", "import os; print(os.nice(0))")
    async with child("a child", command, {}, log, stands_back=True) as running:
        await running.process.wait()
    assert int(log.read_text()) > os.nice(0)
