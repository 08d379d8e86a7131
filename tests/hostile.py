"""Asks servers as a run does, in a process of its own whose memory is measured.

Reads a `Table` from its standard input as JSON, writes a `Found` to its standard output.
"""

import asyncio
import ssl
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

from pydantic import TypeAdapter

from lastword.eligibility import Rules
from lastword.services import tls_context
from lastword.settings import Settings
from lastword.sources import build_sources, politeness
from lastword.sources.http import GuardedClient
from models import Account
from models.types import now


@dataclass(frozen=True, slots=True)
class Asked:
    """A source address, and the seconds that each fetch may take."""

    source: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Table:
    """What to ask, in which order.

    Attributes:
        warm_up: asked before memory is measured: what is loaded once is no growth.
        table: by name.
        allow_hosts: see the settings.
        ca_file: see the settings.
    """

    warm_up: list[Asked]
    table: dict[str, Asked]
    allow_hosts: frozenset[str]
    ca_file: str


@dataclass(frozen=True, slots=True)
class Answered:
    """How it ended.

    Attributes:
        kind: the error's class, or `Post`, or `nothing`.
        message: the error's.
        seconds: that it took.
        peak: KiB of memory that the process had at most until then.
    """

    kind: str
    message: str
    seconds: float
    peak: int


@dataclass(frozen=True, slots=True)
class Found:
    """What came of the table; `before` is the peak after the warm-up, in KiB."""

    before: int
    answers: dict[str, Answered]


def peak() -> int:
    """Return the most memory that this process has had, in KiB.

    Not from getrusage(2): there a new process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def forget_peak() -> None:
    """Begin anew with the memory that there is now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


async def ask(asked: Asked, settings: Settings, tls: ssl.SSLContext) -> Answered:
    """Ask as a run does: real sources, the guarded client, a deadline."""
    account = Account(name="alice", source=asked.source, jid="alice@chat.example")
    settings = settings.model_copy(update={"http_deadline": asked.deadline})
    rules = Rules(now(), max_age=timedelta(days=36_500))
    kind, message, began = "nothing", "", monotonic()
    async with GuardedClient(settings, tls) as http:
        try:
            source = build_sources(http)[asked.source.partition(":")[0]]
            if (await source.latest(account, rules)).post:
                kind = "Post"
        except Exception as error:  # noqa: BLE001 (which one it is, the test wants to know)
            kind, message = type(error).__name__, str(error)
    return Answered(kind, message, monotonic() - began, peak())


async def go_through(table: Table) -> Found:
    """Ask one after another: what counts is the most that one of them takes."""
    settings = Settings.model_validate({"allow_hosts": table.allow_hosts, "ca_file": table.ca_file})
    tls = tls_context(settings)
    for asked in table.warm_up:
        answered = await ask(asked, settings, tls)
        assert answered.kind == "Post", answered
    forget_peak()
    before = peak()
    return Found(before, {name: await ask(it, settings, tls) for name, it in table.table.items()})


if __name__ == "__main__":
    politeness.JITTER = 0  # no runs elsewhere begin with this one
    told = TypeAdapter(Table).validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(TypeAdapter(Found).dump_json(asyncio.run(go_through(told))))
