"""`lastword up`: server, worker and schedule in one foreground command, ended together."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.flows import Flow, load_flow_from_entrypoint

from demo.people import Person, people
from demo.prefect_api import PrefectAPI
from demo.stage import Stage, free_port, stage
from deployments.profile import api_at, server_environment
from flows.sync_accounts import sync_accounts
from flows.sync_shard import sync_shard
from tasks.shard_flow_runs import DEPLOYMENT as DEPLOYMENT_OF_SHARDS

pytestmark = pytest.mark.xdist_group("up")

TOKEN = "canary-of-x-4e1f"
DEPLOYMENT = "sync-accounts/every-30-minutes"


def processes_with(text: str) -> list[str]:
    """Return the command lines of living processes whose environment or command has this text."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
            if text.encode() in command + (directory / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_the_entrypoints_of_the_deployments_are_the_flows() -> None:
    for flow in (sync_accounts, sync_shard):
        name = flow.name.replace("-", "_")
        loaded: Flow[Any, Any] = load_flow_from_entrypoint(
            f"flows.{name}.{name}", use_placeholder_flow=False
        )
        assert loaded.name == flow.name
        assert f"entrypoint: flows.{name}.{name}" in Path("prefect.yaml").read_text("utf-8")
    assert DEPLOYMENT_OF_SHARDS == "sync-shard/shard"


@pytest.mark.timeout(420)
async def test_schedule_reruns_collisions_and_a_clean_end() -> None:
    # The host that never answers keeps a run under way for this long.
    settings = {
        "LASTWORD_HTTP_DEADLINE": "5",
        "LASTWORD_RETRY_SECONDS": "0.1",
        "LASTWORD_X_TOKEN": TOKEN,
        # A run over all four is in two shards, each in a process of its own.
        "LASTWORD_SHARD_SIZE": "3",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        # To Prefect's server, too; what httpx logs there would be logged for ever.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "lastword,slixmpp",
        "PYTHONFAULTHANDLER": "1",
    }
    crowd = people(4)
    async with stage(crowd, settings) as scene:
        port = free_port()
        key = (scene.lastword.data_dir / "key").read_text().strip()
        async with (
            scene.lastword.up(port, deadline=120),
            PrefectAPI(f"http://127.0.0.1:{port}/api") as api,
        ):
            deployment = await api.deployment(DEPLOYMENT)
            assert [one["schedule"]["interval"] for one in deployment["schedules"]] == [1800]
            assert deployment["pull_steps"] == []
            form = deployment["parameter_openapi_schema"]["properties"]
            assert form.keys() == {"which", "accounts", "force", "dry_run"}
            assert all(field["description"] for field in form.values())

            assert await api.scheduled(DEPLOYMENT, deadline=60)
            await api.pause(DEPLOYMENT)  # its half hour may come at any moment
            assert await from_another_web_page(port) == httpx.codes.FORBIDDEN

            names = [person.name for person in crowd if not person.silent]
            named = await api.start(DEPLOYMENT, {"accounts": names, "force": True})
            assert (await api.end(named, deadline=60)).message.startswith("1 Published, 2 Failed")
            assert await synced(api, named, 3) == set(names)
            failed = await api.start(DEPLOYMENT, {"which": "failed"})
            assert (await api.end(failed, deadline=60)).message.startswith("2 Failed")
            broken = {person.name for person in crowd if person.broken and not person.silent}
            assert await synced(api, failed, 2) == broken

            first = await api.start(DEPLOYMENT, {"which": "all"})
            async with asyncio.timeout(60):
                while (await api.state(first)).type != "RUNNING":
                    await asyncio.sleep(0.1)
            for secret in (*scene.passwords.values(), key):
                assert processes_with(secret) == []
            second = await api.end(await api.start(DEPLOYMENT), deadline=60)
            assert second.type == "CANCELLED"
            assert "concurrency" in second.message.lower()
            ended = await api.end(first, deadline=120)
            # One of four is well: more than the threshold failed.
            assert (ended.type, ended.name) == ("FAILED", "Failed")
            assert ended.message.startswith("1 Unchanged, 3 Failed")
            assert "2 of 2 shards are done." in (await api.artifacts(first))["sync-summary"]

            unknown = await api.start(DEPLOYMENT, {"accounts": ["nobody"]})
            assert "no account is named nobody" in (await api.end(unknown, deadline=60)).message
            assert await synced(api, unknown, 0) == set()
        assert processes_with(str(scene.directory)) == []

        check_files(scene, crowd, key)


def check_files(scene: Stage, crowd: Sequence[Person], key: str) -> None:
    """What a run leaves behind is for its user only, and nobody finds a secret or a post in it."""
    assert open_to_others(scene.lastword.data_dir) == []
    kept = contents(scene.directory)
    assert [file.name for file, data in kept.items() if key.encode() in data] == ["key"]
    gateway = scene.prosody.gateway["secret"].encode()
    for canary in (TOKEN.encode(), gateway, b"not the password"):
        assert [file for file, data in kept.items() if canary in data] == []
    for name, password in scene.passwords.items():
        assert [file for file, data in kept.items() if password.encode() in data] == []
        # Our own tables know addresses and posts; Prefect's and the logs do not.
        prefect = {file: data for file, data in kept.items() if "lastword.db" not in file.name}
        jid = f"{name}@{scene.prosody.domain}".encode()
        assert [file for file, data in prefect.items() if jid in data] == []
    for person in crowd:
        for post in person.posts:
            forms = (post.text.encode(), json.dumps(post.text).strip('"').encode())
            found = [file for file, data in prefect.items() if any(f in data for f in forms)]
            assert found == []
    assert any(b"sync alice" in data for data in prefect.values()), "looked in the wrong place"


async def synced(api: PrefectAPI, flow_run: str, number: int) -> set[str]:
    """Return the accounts that a run was over, once Prefect has recorded so many."""
    async with asyncio.timeout(60):
        while True:
            task_runs = await api.task_runs(flow_run)
            found = {name[5:] for name in task_runs if name.startswith("sync ")}
            if len(found) >= number and "choose accounts" in task_runs:
                return found
            await asyncio.sleep(0.3)


async def from_another_web_page(port: int) -> int:
    """Post as any page may, without being asked: no content type. Return the answer's code."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        url = f"http://127.0.0.1:{port}/api/flow_runs/filter"
        return (await browser.post(url, content=b'{"limit": 1}')).status_code


def open_to_others(home: Path) -> list[Path]:
    """Return what in a data directory others than its user may read, or enter."""
    found = [it for it in (home, *home.rglob("*")) if it.stat().st_mode & 0o077]
    # Prefect copies its UI, which is nobody's secret, as it is.
    return [it for it in found if home / "prefect" / "ui" not in (it, *it.parents)]


def contents(directory: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in directory.rglob("*") if file.is_file()}


async def test_a_taken_port_is_told() -> None:
    async with stage(people(4)) as scene:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            said = await scene.lastword.ask("up", "--port", port)
            nowhere = await scene.lastword.ask("up", "--host", "192.0.2.1", "--port", port)
            nobody = await scene.lastword.ask("up", "--host", "no-such-host.invalid")
            no_name = await scene.lastword.ask("up", "--host", "127.0.0..1")
    assert (said.code, nowhere.code, nobody.code, no_name.code) == (2, 2, 2, 2)
    assert f"port {port} is taken" in said.errors
    assert f"nothing can listen at 192.0.2.1, port {port}: " in nowhere.errors
    assert "nothing can listen at no-such-host.invalid" in nobody.errors
    assert "nothing can listen at 127.0.0..1, port 4200: it is no name" in no_name.errors


def test_a_server_that_listens_everywhere_is_asked_on_loopback(tmp_path: Path) -> None:
    assert api_at("0.0.0.0", 4200) == "http://127.0.0.1:4200/api"  # noqa: S104
    assert api_at("::", 4200) == "http://[::1]:4200/api"
    assert api_at("10.0.0.5", 80) == "http://10.0.0.5:80/api"
    environment = server_environment(tmp_path, api_at("0.0.0.0", 4200), "0.0.0.0")  # noqa: S104
    assert environment["PREFECT_SERVER_UI_API_URL"] == "/api"


@pytest.mark.timeout(300)
async def test_ended_in_the_middle_of_a_run_it_runs_again() -> None:
    settings = {"LASTWORD_HTTP_DEADLINE": "20"}
    async with stage(people(4), settings) as scene:
        port = free_port()
        url = f"http://127.0.0.1:{port}/api"
        async with scene.lastword.up(port, deadline=120), PrefectAPI(url) as api:
            await api.pause(DEPLOYMENT)
            first = await _under_way(api)
            second_up = await scene.lastword.ask("up", "--port", str(free_port()))
            assert second_up.code == 2
            assert "running already" in second_up.errors
        assert processes_with(str(scene.directory)) == []

        async with scene.lastword.up(port, deadline=120) as up, PrefectAPI(url) as api:
            assert (await api.state(first)).type == "CRASHED"
            assert (await api.deployment(DEPLOYMENT))["paused"], "a person did that"
            await _under_way(api)
            # A run is in a session of its own: it must not outlive its worker, nor hold up ours.
            os.kill(_worker_of(scene.directory), signal.SIGKILL)
            async with asyncio.timeout(60):
                assert await up.wait() == 1
        assert processes_with(str(scene.directory)) == []


async def _under_way(api: PrefectAPI) -> str:
    """Start a run and return its id once one of its accounts is done."""
    flow_run = await api.start(DEPLOYMENT, {"which": "all"})
    async with asyncio.timeout(90):
        while not any(
            state.name != "Running" for state in (await api.task_runs(flow_run)).values()
        ):
            await asyncio.sleep(0.2)
    assert (await api.state(flow_run)).type == "RUNNING"
    return flow_run


def _worker_of(directory: Path) -> int:
    return next(
        int(one.name)
        for one in Path("/proc").glob("[0-9]*")
        if b"worker\0start" in _read(one / "cmdline")
        and str(directory).encode() in _read(one / "environ")
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
