"""Servers in processes of their own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


@asynccontextmanager
async def serving(module: str, *arguments: str) -> AsyncIterator[tuple[Any, list[str]]]:
    """Run a module that serves; yield what it says first, and a list for what it says last."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    assert process.stdin
    assert process.stdout
    last: list[str] = []
    try:
        yield json.loads(await process.stdout.readline()), last
        process.stdin.close()
        last += (await process.stdout.read()).decode().splitlines()
    finally:
        if process.returncode is None:
            process.stdin.close()
            await process.wait()
