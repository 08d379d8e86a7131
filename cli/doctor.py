"""`lastword doctor`: is everything that a run needs there, and does it work?"""

import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from cli.errors import EXIT_FAILED, EXIT_OK
from cli.output import print_json
from deployments.exposure import exposure
from deployments.profile import client_environment
from deployments.whereabouts import api_in_use
from lastword import accounts
from lastword.checkup import Finding, Level, checkup
from lastword.settings import Settings
from models.database import Database

_MARKS = {Level.OK: "[green]✓[/]", Level.WARNING: "[yellow]![/]", Level.TROUBLE: "[red]✗[/]"}


async def doctor(
    name: str | None = None, *, json: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """Check data directory, database, key, TLS, DNS, clock, one login, and Prefect's server.

    Exit code: 0 if nothing is in trouble, 1 otherwise.

    Args:
        name: The account whose login is tried; one that is well, if none is named.
        json: Print the findings as JSON.
    """
    settings = Settings()
    console = Console(highlight=False)
    findings = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not json:
            text = f"[bold]{escape(finding.about)}[/]: {escape(finding.text)}"
            console.print(f"{_MARKS[finding.level]} {text}", soft_wrap=True)

    if name is not None:
        async with Database.open(settings.database) as database:
            await accounts.find(database, name)
    async for finding in checkup(settings, name):
        tell(finding)
    async for finding in _prefect(settings):
        tell(finding)
    if json:
        print_json([asdict(finding) for finding in findings])
    trouble = any(finding.level is Level.TROUBLE for finding in findings)
    return EXIT_FAILED if trouble else EXIT_OK


async def _prefect(settings: Settings) -> AsyncIterator[Finding]:
    api = api_in_use(settings.data_dir)
    if api is None:
        text = "`lastword up` is not running here, so nothing is scheduled"
        yield Finding("Prefect", Level.WARNING, text)
        return
    # Prefect reads its environment when it is first imported.
    os.environ.update(client_environment(settings.data_dir / "prefect", api))
    from deployments.server import ServerTrouble, answers  # noqa: PLC0415
    from flows.granularity import why_coarse  # noqa: PLC0415

    try:
        trouble = None if await answers(api) else f"no server answers at {api}: see `lastword up`"
    except ServerTrouble as error:
        trouble = str(error)
    if trouble:
        yield Finding("Prefect", Level.TROUBLE, trouble)
        return
    yield Finding("Prefect", Level.OK, f"its server answers at {api}")
    async with Database.open(settings.database) as database:
        why = await why_coarse(database, settings.task_runs)
    if why:
        yield Finding("Prefect", Level.WARNING, why)
    for text in await exposure(api):
        yield Finding("Prefect", Level.WARNING, text)
