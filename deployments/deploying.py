"""Our deployments, put on a Prefect server as prefect.yaml has them."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.processes import child
from deployments.server import ServerTrouble

PATIENCE = 120.0
"""Seconds for Prefect's command to deploy."""

PREFECT_YAML = Path(__file__).parent.parent / "prefect.yaml"


async def deploy(environment: Mapping[str, str], log: Path) -> None:
    """Apply the deployments of prefect.yaml; doing it again changes nothing.

    What a person paused, a deployment or its schedule, stays paused.

    Args:
        environment: variables for Prefect's command.
        log: file for what Prefect says about it.

    Raises:
        ServerTrouble: the deployments were refused, or Prefect's command never ends.
    """
    # Prefect's command resumes what its file does not call paused; to pause it again afterwards
    # would leave a moment in which a run may begin.
    told = await _as_they_rest(environment["PREFECT_API_URL"])
    with NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml", dir=log.parent) as file:
        yaml.safe_dump(told, file, allow_unicode=True)
        file.flush()
        command = (sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all")
        ours = ("--prefect-file", file.name)
        async with child("the deployment", (*command, *ours), environment, log) as running:
            try:
                code = await asyncio.wait_for(running.process.wait(), PATIENCE)
            except TimeoutError:
                code = None
    if code != 0:
        raise ServerTrouble(f"Prefect refused the deployments of {PREFECT_YAML.name}: read {log}")


async def _as_they_rest(api: str) -> dict[str, Any]:
    """Return what is in prefect.yaml, paused where it is paused on the server."""
    told: dict[str, Any] = yaml.safe_load(PREFECT_YAML.read_text("utf-8"))
    ours = {one["name"]: one for one in told["deployments"]}
    named = DeploymentFilter(name=DeploymentFilterName(any_=[*ours]))
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            there = await client.read_deployments(deployment_filter=named)
    for found in there:
        one = ours[found.name]
        if found.entrypoint != one["entrypoint"]:
            continue  # another flow's, of the same name
        one["paused"] = found.paused
        active = {it.slug: it.active for it in found.schedules}
        for schedule in one["schedules"]:
            schedule["active"] = active.get(schedule["slug"], True)
    return told
