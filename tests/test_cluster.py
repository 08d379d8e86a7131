"""The flow where Prefect grows: its database on PostgreSQL, its events on Redis."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from demo.people import people
from demo.prefect_api import PrefectAPI
from demo.stage import free_port, stage
from deployments.processes import child
from deployments.profile import server_environment
from deployments.server import wait_until_it_answers

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """A Redis of our own on loopback, gone after the test."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "redis-server is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            yield port
        finally:
            server.terminate()


@pytest.mark.timeout(300)
async def test_every_task_run_is_recorded(
    redis_port: int, postgresql_url: str, postgresql_socket: Path, tmp_path: Path
) -> None:
    del postgresql_socket
    port = free_port()
    api_url = f"http://127.0.0.1:{port}/api"
    parts = urlsplit(postgresql_url)
    environment = {
        **server_environment(tmp_path / "prefect", api_url),
        "PREFECT_API_DATABASE_CONNECTION_URL": parts._replace(scheme="postgresql+asyncpg").geturl(),
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
    }
    program = str(Path(shutil.which("prefect", path=Path(sys.executable).parent) or "prefect"))
    command = (program, "server", "start", "--host", "127.0.0.1", "--port", str(port))
    log = tmp_path / "server.log"
    crowd = people(8)
    settings = {
        "PREFECT_API_URL": api_url,
        "LASTWORD_HTTP_DEADLINE": "1",
        "LASTWORD_RETRY_SECONDS": "0.1",
    }
    async with child("Prefect's server", command, environment, log):
        await wait_until_it_answers(api_url, 120)
        async with stage(crowd, settings) as scene, PrefectAPI(api_url) as api:
            said = await scene.lastword.ask("run", "--json")
            assert said.code == 1, said.errors  # three of eight failed: more than the threshold
            runs = await api._call("POST", "/flow_runs/filter", json={})
            recorded = await api.recorded(runs[0]["id"], len(crowd) + 2, deadline=60)
            names = {name.removeprefix("sync "): state.name for name, state in recorded.items()}
            assert {person.name: names[person.name] for person in crowd} == {
                person.name: "Failed" if person.broken else "Published" for person in crowd
            }
    with redis.Redis(port=redis_port) as client:
        streams = [key for key in client.scan_iter() if client.type(key) == b"stream"]
    assert streams, "the events did not pass through Redis"
