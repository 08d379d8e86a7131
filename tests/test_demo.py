"""The demo checks what it claims: a broken expectation makes it fail."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("demo")

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
async def test_a_broken_expectation_fails_the_demo() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", "--people", "4", "--once", "--sabotage"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    said = " ".join(output.decode().split())
    assert process.returncode == 1
    assert "alice: expected “Nobody has synced this”" in said
    assert "Traceback" not in said


async def test_too_few_people_are_told() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", "--people", "3"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert b"4 or more" in output
