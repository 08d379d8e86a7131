"""What all tests may ask for."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings
from prefect.testing.utilities import prefect_test_harness

# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

pytest_plugins = [
    "tests.fixtures_cli",
    "tests.fixtures_database",
    "tests.fixtures_event_loop",
    "tests.fixtures_http",
    "tests.fixtures_fediverse",
    "tests.fixtures_mastodon",
    "tests.fixtures_x",
    "tests.fixtures_xmpp",
    "tests.fixtures_operator",
    "tests.fixtures_pep",
    "tests.fixtures_hold",
]

# As a real deployment sets them: one event per transaction is what the server does by default,
# and its record of the task runs then lags far behind the tests.
_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
}


_LONGEST = ("up", "demo", "prefect", "hostile", "pep")
"""Groups that one process works through; begun late, they would be waited for at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first (`--no-loadscope-reorder` keeps to that)."""

    def rank(item: pytest.Item) -> int:
        marker = item.get_closest_marker("xdist_group")
        return _LONGEST.index(marker.args[0]) if marker else len(_LONGEST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as everything else here does."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests have hosts of their own, which nobody else asks on the minute."""
    monkeypatch.setattr("lastword.sources.politeness.JITTER", 0)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own; flows called in tests are recorded there.

    Starting it takes 10 s and more: one for all tests of a process.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SERVER.items():
            patch.setenv(name, value)
        with (
            prefect_test_harness(server_startup_timeout=120),
            # Task runs without a flow have nowhere to send their log lines to, and may.
            temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}),
        ):
            yield
