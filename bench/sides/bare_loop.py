"""The limit: the same work on a bare asyncio loop, and no Prefect in the process."""

import asyncio
import json
import sys
from collections.abc import Sequence
from random import uniform

from lastword import runs
from lastword.attempt import attempt
from lastword.errors import Transient
from lastword.runs import AccountRef, Which
from lastword.services import Services, open_services
from lastword.settings import Settings


async def run(window: int, retries: int) -> dict[str, int]:
    """Run over all accounts that are due, and return how many ended in which way.

    Args:
        window: accounts under way at once.
        retries: of each account, where that can help.
    """
    async with open_services(Settings()) as services:
        refs = await runs.choose(services.database, Which.DUE)
        await runs.expect(services.database, services.sources, refs)
        run_id = await runs.begin(services.database, Which.DUE, len(refs), None)
        await sync_all(refs, run_id, services, window=window, retries=retries)
        ended = await runs.tally(services.database, run_id, len(refs))
        await runs.finish(services.database, run_id, ended, "Completed", "")
    return {kind.value: number for kind, number in ended.counts.items()}


async def sync_all(
    refs: Sequence[AccountRef], run_id: int, services: Services, *, window: int, retries: int
) -> None:
    """Try each account as often as its Prefect task would, so many at once."""
    slots = asyncio.Semaphore(window)

    async def within_window(ref: AccountRef) -> None:
        async with slots:
            await sync(ref, run_id, services, retries=retries)

    async with asyncio.TaskGroup() as tasks:
        for ref in refs:
            tasks.create_task(within_window(ref))


async def sync(ref: AccountRef, run_id: int, services: Services, *, retries: int) -> None:
    """Try as often as the Prefect task does, and wait as long in between."""
    for tried in range(retries + 1):
        try:
            await attempt(ref, run_id, services, last=tried == retries)
        except Transient:
            wait = services.settings.retry_seconds * (tried + 1)
            await asyncio.sleep(wait * uniform(1, 1.5))  # noqa: S311 (no secret)
        else:
            return


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"outcomes": asyncio.run(run(**json.load(sys.stdin)))}))
