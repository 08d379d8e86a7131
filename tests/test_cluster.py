"""The flow where Prefect grows: `lastword up --profile cluster`, on PostgreSQL and Redis."""

import json
from pathlib import Path

import pytest
import redis

from demo.people import people
from demo.prefect_api import PrefectAPI
from demo.stage import free_port, stage
from tests.fixtures_database import REDIS_PASSWORD

pytestmark = pytest.mark.xdist_group("demo")

POSTGRESQL_PASSWORD = "canary-of-postgresql"
PASSWORDS = (POSTGRESQL_PASSWORD.encode(), REDIS_PASSWORD.encode())
DEPLOYMENT = "sync-accounts/every-30-minutes"


@pytest.mark.timeout(300)
async def test_every_task_run_is_recorded_and_no_password_shown(
    redis_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    crowd = people(8)
    settings = {
        "LASTWORD_PREFECT_DATABASE_URL_FILE": str(tmp_path / "postgresql"),
        "LASTWORD_REDIS_URL": redis_url,
        "LASTWORD_HTTP_DEADLINE": "1",
        "LASTWORD_RETRY_SECONDS": "0.1",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    # Ours trusts whoever comes by its socket, with any password.
    url = postgresql_url.replace("lastword@", f"lastword:{POSTGRESQL_PASSWORD}@")
    (tmp_path / "postgresql").write_text(url)
    port = free_port()
    api_url = f"http://127.0.0.1:{port}/api"
    async with stage(crowd, settings) as scene:
        up = scene.lastword.up(port, 180, "--profile", "cluster")
        async with up as process, PrefectAPI(api_url) as api:
            await api.pause(DEPLOYMENT)
            run = await api.start(DEPLOYMENT)
            # Three of eight failed: more than the threshold.
            assert (await api.end(run, deadline=90)).type == "FAILED"
            recorded = await api.recorded(run, len(crowd) + 2, deadline=60)
            told = json.dumps(await api.call("GET", "/admin/settings"))
            commands, environments = _processes(str(scene.directory), but=process.pid)
        names = {name.removeprefix("sync "): state.name for name, state in recorded.items()}
        assert {person.name: names[person.name] for person in crowd} == {
            person.name: "Failed" if person.broken else "Published" for person in crowd
        }
        kept = [file.read_bytes() for file in scene.directory.rglob("*") if file.is_file()]
    for password in PASSWORDS:
        assert password.decode() not in told
        assert not [data for data in (*commands, *kept) if password in data]
        # Prefect's server takes it in no other way.
        holders = {command for command, data in environments.items() if password in data}
        assert holders
        assert all(b"server\0start" in one or b"uvicorn" in one for one in holders), holders
    assert "prefect_redis.messaging" in told
    with redis.Redis.from_url(redis_url) as client:
        assert [key for key in client.scan_iter() if client.type(key) == b"stream"]


def _processes(directory: str, *, but: int) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return all commands; and by command the environment of each that works in a directory."""
    commands, environments = list[bytes](), dict[bytes, bytes]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        commands.append(command)
        # What it was started with, it was given by people.
        if directory.encode() in environment and process.name != str(but):
            environments[command] = environment
    return commands, environments
