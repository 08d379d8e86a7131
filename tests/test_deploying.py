"""Deployments, put on a server again and again: what is laid out, and what rests, stays so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from demo.prefect_api import PrefectAPI
from deployments.deploying import deploy
from deployments.profile import DEPLOYMENT, client_environment
from deployments.server import make_work_pool, wait_until_it_answers
from deployments.temporary import temporary_server
from lastword.health import EVERY

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(300)]

SHARD = "sync-shard/shard"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[str]:
    """The API address of a Prefect server of its own, deployed to once."""
    with temporary_server(tmp_path) as url:
        await wait_until_it_answers(url, 120)
        await make_work_pool(url)
        await again(tmp_path, url)
        yield url


async def again(directory: Path, url: str) -> None:
    log = directory / "deploy.log"
    await deploy(client_environment(directory / "prefect", url), log)
    assert list(directory.glob("*.yaml")) == []


async def next_run(api: PrefectAPI) -> str:
    """Return when the schedule's next run begins."""
    assert await api.scheduled(DEPLOYMENT, deadline=60)
    first = {"sort": "EXPECTED_START_TIME_ASC", "limit": 1}
    (found,) = await api.call("POST", "/flow_runs/filter", json=first)
    return str(found["expected_start_time"])


async def rest_schedule(url: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}):
        async with get_client() as client:
            deployment = await client.read_deployment_by_name(DEPLOYMENT)
            (one,) = deployment.schedules
            await client.update_deployment_schedule(deployment.id, one.id, active=False)


async def paused(api: PrefectAPI) -> set[str]:
    return {it for it in (DEPLOYMENT, SHARD) if (await api.deployment(it))["paused"]}


async def test_deployed_again_all_stays_as_it_was(server: str, tmp_path: Path) -> None:
    async with PrefectAPI(server) as api:
        (before,) = (await api.deployment(DEPLOYMENT))["schedules"]
        assert before["active"]
        assert before["schedule"]["interval"] == EVERY.total_seconds()
        assert before["schedule"]["anchor_date"].startswith("2020-01-01T00:07:00")
        begins = await next_run(api)
        assert begins[14:19] in ("07:00", "37:00")
        await again(tmp_path, server)
        (after,) = (await api.deployment(DEPLOYMENT))["schedules"]
        assert after["schedule"] == before["schedule"]
        assert await next_run(api) == begins
        assert await paused(api) == set()

        # What a person paused stays paused, until a person resumes it.
        await api.pause(SHARD)
        await rest_schedule(server)
        await again(tmp_path, server)
        assert [one["active"] for one in (await api.deployment(DEPLOYMENT))["schedules"]] == [False]
        assert await paused(api) == {SHARD}
        await api.resume(SHARD)
        await api.pause(DEPLOYMENT)
        await again(tmp_path, server)
        assert await paused(api) == {DEPLOYMENT}
