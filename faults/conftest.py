"""What the fault suite shares: one Prefect server, databases, and a summary of what was done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.parameters import PARAMETERS
from faults.prefect_server import PrefectServer, prefect_server

pytest_plugins = ["tests.fixtures_database"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As everything else here."""
    return "asyncio"


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server for all tests of a process: it takes long to start."""
    home: Path = tmp_path_factory.mktemp("prefect")
    with prefect_server(home) as server:
        yield server


def pytest_report_header() -> str:
    """Say by which dice: `make faults SEED=…` repeats them."""
    it = PARAMETERS
    return f"faults: SEED={it.seed} POINTS={it.points} PEOPLE={it.people}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each test tells of what it did."""
    reports = [it for kind in ("passed", "failed") for it in terminalreporter.stats.get(kind, [])]
    told = [
        (it.nodeid, text) for it in reports for name, text in it.user_properties if name == "told"
    ]
    if told:
        terminalreporter.section("what was done")
        for node, text in told:
            terminalreporter.write_line(f"{node.partition('::')[2]}: {text}")
