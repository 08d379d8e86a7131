"""One table of servers made to hurt: each ends in time, in the right words, and in little memory.

The servers run here, and who asks them in a process of its own, `tests.hostile`.
"""

import asyncio
import os
import re
import ssl
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from pydantic import TypeAdapter

from tests.fixtures_http import Server
from tests.hostile import Asked, Found, Table
from tests.hostile_cases import CASES, FINE, PRIVATE, SECRET, Case

# The table is gone through once, and so in one of xdist's processes.
pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.timeout(300)]

MOST_GROWTH = 20 * 1024
"""KiB."""
LATE = 30
"""Seconds that a busy machine may take beside a deadline."""
ALL_SECONDS = 200
"""For the whole table, even there: it takes ten elsewhere."""


@pytest.fixture(scope="module")
def found(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Go through the table."""
    ca_file = tmp_path_factory.mktemp("hostile") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return asyncio.run(_go_through_the_table(authority, str(ca_file)))


async def _go_through_the_table(authority: trustme.CA, ca_file: str) -> Found:
    async with AsyncExitStack() as stack:
        await _listen(PRIVATE, None, stack)
        fine = await _serve(FINE, authority, stack)
        hostile = await _serve(CASES, authority, stack)
        hosts = frozenset(
            asked.source.split("/")[2] for asked in (*fine.values(), *hostile.values())
        )
        return await _ask(Table(list(fine.values()), hostile, hosts, ca_file))


async def _serve(
    cases: Mapping[str, Case], authority: trustme.CA, stack: AsyncExitStack
) -> dict[str, Asked]:
    asked = {}
    for name, case in cases.items():
        tls = None
        if case.tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(case.tls).configure_cert(tls)
        host = await _listen(Server(case.answer), tls, stack)
        asked[name] = Asked(case.source.replace("HOST", host), case.deadline)
    return asked


async def _listen(server: Server, tls: ssl.SSLContext | None, stack: AsyncExitStack) -> str:
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    await stack.enter_async_context(listening)
    server.port = listening.sockets[0].getsockname()[1]
    return server.host


async def _ask(table: Table) -> Found:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hostile"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env={name: value for name, value in os.environ.items() if "LASTWORD" not in name},
    )
    try:
        async with asyncio.timeout(ALL_SECONDS):
            said, _ = await process.communicate(TypeAdapter(Table).dump_json(table))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return TypeAdapter(Found).validate_json(said)


@pytest.mark.parametrize("name", CASES)
def test_ends_in_time_and_in_the_right_words(found: Found, name: str) -> None:
    case, answered = CASES[name], found.answers[name]
    assert answered.kind in case.kind.split(" or "), answered.message
    assert case.words in answered.message
    assert answered.seconds < case.deadline + LATE
    if answered.message:
        assert_readable(answered.message)


def assert_readable(message: str) -> None:
    """One line for people, that begins with the host and tells nothing that is not theirs."""
    host, _, said = message.partition(" ")
    assert re.fullmatch(r"\[[0-9a-f:.]+\](:\d+)?|[0-9a-z.]+(:\d+)?", host), message
    assert 10 < len(said) < 140
    assert message.isprintable()
    for told in (SECRET, "feed.xml", "alice", "Hello", "Error", "exception", "<"):
        assert told not in message


def test_nobody_knocked_at_the_private_door(found: Found) -> None:
    assert sum("redirects to" in name for name in found.answers) > 16
    assert PRIVATE.connections == 0


def test_memory(found: Found) -> None:
    peaks = {name: answered.peak for name, answered in found.answers.items()}
    growth = {name: peak - found.before for name, peak in peaks.items()}
    assert max(growth.values()) < MOST_GROWTH, growth
