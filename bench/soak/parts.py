"""The parts of the soak, each for a process of its own."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from bench.soak.footprint import LIMITS, growths
from bench.soak.report import Report
from deployments.profile import client_environment
from deployments.temporary import temporary_server

PREFECTS = {"memory": 4e6, "our objects": 1.05}
"""Bytes and objects that each flow run may leave in its process.

Prefect's own workers for events and logs leave three MB when they are drained, with each of its
task runners: the call that would drain them at the end keeps the context of the flow run, and in it
the task runner. In life a process ends with its flow run. What else is ours must be flat.
"""
_SERVER = 120.0
"""Seconds for Prefect's server to answer."""


def soak_part(part: str, cycles: int, flows: int, accounts: int) -> Report:
    """Soak `sqlite`, `postgresql` or `flows` in this process, and return how it went."""
    logging.getLogger("lastword").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="lastword-soak-") as name:
        directory = Path(name)
        if part == "flows":
            return _flows(directory, flows, accounts)
        os.environ.update(client_environment(directory / "prefect", "http://127.0.0.1:9/api"))
        return asyncio.run(_cycles(directory, cycles, accounts, is_sqlite=part == "sqlite"))


async def _cycles(directory: Path, cycles: int, accounts: int, *, is_sqlite: bool) -> Report:
    from bench.soak.cycles import soak  # noqa: PLC0415 (imports Prefect)
    from bench.soak.stage import stage  # noqa: PLC0415

    name = "SQLite" if is_sqlite else "PostgreSQL"
    async with stage(directory, accounts, is_sqlite=is_sqlite) as set_stage:
        began = monotonic()
        looked, seen, outcomes = await soak(set_stage, cycles, lambda n: _tell(name, n, cycles))
    return Report(name, cycles, monotonic() - began, dict(outcomes), growths(looked, seen))


def _flows(directory: Path, flows: int, accounts: int) -> Report:
    began = monotonic()
    with temporary_server(directory) as api:
        os.environ.update(client_environment(directory / "prefect", api))
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
        from bench.soak.flows_here import run_flows  # noqa: PLC0415 (imports Prefect)
        from deployments.server import wait_until_it_answers  # noqa: PLC0415

        asyncio.run(wait_until_it_answers(api, _SERVER))
        looked, seen, outcomes = run_flows(
            directory, flows, accounts, lambda n: _tell("the flow", n, flows)
        )
    what = "The flow by Prefect, in one process"
    grown = growths(looked, seen, LIMITS | PREFECTS)
    return Report(what, flows, monotonic() - began, dict(outcomes), grown)


def _tell(what: str, number: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what}: {number} of {of} ")
        sys.stderr.flush()
