"""What a run changed about accounts' health: who began to fail, and who is well again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, func, select

from models import Account, Health, Run
from models.database import Database

NAMED = 10
"""So many names are told; of the others, how many."""


@dataclass(frozen=True, slots=True)
class Change:
    """Accounts that came to be of a health in a run.

    Attributes:
        health: which.
        number: how many accounts.
        names: the first of them.
    """

    health: Health
    number: int
    names: Sequence[str]


async def changes_in(database: Database, run_id: int) -> list[Change]:
    """Return what a run changed; what waits for people comes first."""
    found = []
    async with database.session() as session:
        run = await session.get_one(Run, run_id)
        changed = (col(Account.last_run_id) == run_id, col(Account.health_since) >= run.started_at)
        for health in (Health.NEEDS_OWNER, Health.FAILING, Health.GONE, Health.OK):
            wanted = (*changed, col(Account.health) == health)
            counted = select(func.count()).select_from(Account).where(*wanted)
            if number := (await session.exec(counted)).one():
                named = select(Account.name).where(*wanted).order_by(Account.name).limit(NAMED)
                found.append(Change(health, number, (await session.exec(named)).all()))
    return found
