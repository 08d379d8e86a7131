"""The shards of a run: ranges of ids, whose accounts are counted and chosen in the same way.

Whose accounts are in its range, a shard's process finds when it begins: accounts come and go, and
an attempt that follows another takes what that one left. So everyone asks in the same words: in
the range, wanted at the moment when the run began, without an outcome of it yet.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, func, select

from lastword import runs
from lastword.runs import AccountRef, Which
from models import Account, Run, Shard
from models.database import Database


async def begin(
    database: Database, which: Which, flow_run_id: str | None, *, size: int, force: bool
) -> int:
    """Open the row of a run in shards, and return its id.

    Args:
        database: ours.
        which: which accounts.
        flow_run_id: the flow run that follows the shards.
        size: accounts in one of them at most.
        force: whether they publish even what is unchanged.
    """
    run_id = await runs.begin(database, which, 0, flow_run_id, force=force)
    async with database.writing() as session:
        run = await session.get_one(Run, run_id)
        number = (func.row_number().over(order_by=col(Account.id)) - 1) // size
        numbered = (
            select(Account.id, number.label("number"))
            .where(*runs.matching(which, run.started_at))
            .subquery()
        )
        ranges = await session.exec(
            select(numbered.c.number, func.max(numbered.c.id), func.count())
            .group_by(numbered.c.number)
            .order_by(numbered.c.number)
        )
        before = 0
        for at, last, wanted_in_it in ranges:
            # From where the one before ends: who is resumed meanwhile is in one of them, too.
            shard = Shard(
                run_id=run_id, number=at + 1, first=before + 1, last=last, due=wanted_in_it
            )
            session.add(shard)
            before, run.due = last, run.due + wanted_in_it
    return run_id


async def shards_of(database: Database, run_id: int) -> list[Shard]:
    """Return the shards of a run, in their order."""
    async with database.session() as session:
        found = select(Shard).where(Shard.run_id == run_id).order_by(col(Shard.number))
        return list(await session.exec(found))


async def choose(database: Database, run: Run, shard: Shard) -> list[AccountRef]:
    """Return references to the accounts that a shard's process is to sync; see `runs.choose`."""
    return await runs.refs(database, _open(run, shard.first, shard.last))


async def left(database: Database, run: Run, shard: Shard) -> int:
    """Return how many accounts of a shard still lack an outcome of the run."""
    return await _left(database, run, shard.first, shard.last)


async def due(database: Database, run_id: int) -> int:
    """Return how many accounts a run in shards was over: those with an outcome, and those without.

    By both numbers, and not by a list that was made in the beginning: so they always add up.
    """
    last = select(func.max(Shard.last)).where(Shard.run_id == run_id)
    ended = select(func.count()).select_from(Account).where(col(Account.last_run_id) == run_id)
    async with database.session() as session:
        run = await session.get_one(Run, run_id)
        end, number = (await session.exec(last)).one(), (await session.exec(ended)).one()
    return number + await _left(database, run, 1, end or 0)


async def _left(database: Database, run: Run, first: int, last: int) -> int:
    # Not those that people changed since the run began: they may not have been wanted when their
    # shard's accounts were chosen, and the next run's turn is theirs.
    wanted = [*_open(run, first, last), col(Account.edited_at) <= run.started_at]
    async with database.session() as session:
        return (await session.exec(select(func.count()).select_from(Account).where(*wanted))).one()


async def counted(database: Database, run_id: int) -> dict[str, int]:
    """Return how many accounts have an outcome of a run by now, by outcome."""
    ended = (
        select(Account.last_outcome, func.count())
        .where(col(Account.last_run_id) == run_id)
        .group_by(Account.last_outcome)
    )
    async with database.session() as session:
        return {str(kind): number for kind, number in await session.exec(ended)}


def _open(run: Run, first: int, last: int) -> Sequence[ColumnElement[bool]]:
    last_run = col(Account.last_run_id)
    return [
        col(Account.id).between(first, last),
        or_(last_run.is_(None), last_run != run.id),
        *runs.matching(Which(run.which), run.started_at),
    ]
