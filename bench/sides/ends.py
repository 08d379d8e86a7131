"""How a run begins and ends in our own tables, where no flow does it."""

from lastword import runs
from lastword.runs import AccountRef, Which
from lastword.services import open_services
from lastword.settings import Settings
from models.database import Database


async def begin(flow_run_id: str | None = None) -> tuple[int, list[AccountRef]]:
    """Begin a run over all accounts that are due; return its id and them."""
    async with open_services(Settings()) as services:
        refs = await runs.choose(services.database, Which.DUE)
        await runs.expect(services.database, services.sources, refs)
        return await runs.begin(services.database, Which.DUE, len(refs), flow_run_id), refs


async def end(run_id: int, due: int) -> dict[str, int]:
    """End a run over so many accounts; return how many of them ended in which way."""
    async with Database.open(Settings().database) as database:
        ended = await runs.tally(database, run_id, due)
        await runs.finish(database, run_id, ended, "Completed", "")
    return {kind.value: number for kind, number in ended.counts.items()}
