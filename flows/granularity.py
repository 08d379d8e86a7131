"""How many accounts share a task run: each has its own, as long as Prefect can record them all.

Each task run sends two messages, and two more for each retry. A server that keeps them in memory
has room for 10,000, and drops what comes beyond, without a word to the flow: the UI then shows task
runs that never end. See docs/decisions/0014-task-runs-that-are-shared.md.
"""

import asyncio
from dataclasses import dataclass
from math import ceil

from prefect.client.orchestration import get_client

from lastword import cause_store
from models.database import Database

IN_MEMORY = 1_400
"""Task runs in one run at most, where Prefect's server keeps its messages in memory: six messages
each, where each is tried three times, and room for what else it hears of."""
BATCH = 100
"""Accounts that share a task run, at least, where they share any."""
_MEMORY = "prefect.server.utilities.messaging.memory"


@dataclass(frozen=True, slots=True)
class Granularity:
    """How fine a run is in Prefect.

    Attributes:
        accounts: so many share a task run; 1: each has its own.
        why: why they share it, for people; None where they do not.
    """

    accounts: int = 1
    why: str | None = None


ONE_EACH = Granularity()


def granularity(total: int, at_most: int | None) -> Granularity:
    """Return how many accounts share a task run.

    Args:
        total: accounts of the whole run, in all its shards.
        at_most: task runs that the operator wants; None: one for each account, if it can be.
    """
    most = total if at_most is None else at_most
    why = f"LASTWORD_TASK_RUNS allows a run {most:,} task runs for its {total:,} accounts"
    if min(total, most) > IN_MEMORY and keeps_messages_in_memory():
        most = IN_MEMORY
        why = (
            f"{total:,} accounts are more than the {most:,} task runs that Prefect's server takes"
            " at once without losing some, for it keeps its messages in memory (with `lastword up"
            " --profile cluster` each has its own: see docs/scaling.md)"
        )
    if total <= most:
        return ONE_EACH
    size = max(BATCH, ceil(total / most))
    shared = f"{size} accounts share a task run, and what became of each is in our ledger only"
    return Granularity(size, f"{why}: {shared}.")


async def why_coarse(database: Database, at_most: int | None) -> str | None:
    """Return why accounts share task runs if all active ones are due; None where they do not."""
    active = await cause_store.active(database)
    return (await asyncio.to_thread(granularity, active, at_most)).why


def keeps_messages_in_memory() -> bool:
    """Ask Prefect's server by what it passes messages on; one that does not say is taken for small.

    Only asked where it matters: for each run it would be a call, and a client, for nothing.
    """
    try:
        with get_client(sync_client=True) as client:
            answer = client.request("GET", "/admin/settings").raise_for_status().json()
        broker = answer["server"]["events"]["messaging_broker"]
    except Exception:  # noqa: BLE001 (whatever is in the way: rather too coarse than lost)
        return True
    return bool(broker == _MEMORY)
