"""One run in this process: the same flow, followed by whoever called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from flows.progress import Listener, listening
from flows.sync_accounts import sync_accounts

DRAIN = 10.0
"""Seconds for the last events and log lines to reach Prefect's server."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the flow run ended: its state's name and message, and its id in Prefect.

    Attributes:
        due: accounts that it was over.
        seen: accounts by the name of their task runs' final state.
    """

    state: str
    message: str
    flow_run_id: str | None
    due: int
    seen: dict[str, int]


def run_here(
    which: Literal["due", "failed", "all"],
    accounts: list[str] | None,
    *,
    force: bool,
    dry_run: bool,
    listener: Listener,
) -> Ended:
    """Run the flow once and return how it ended.

    Args:
        which: see the flow.
        accounts: see the flow.
        force: see the flow.
        dry_run: see the flow.
        listener: told of each account that is done.
    """
    due, seen = 0, dict[str, int]()

    def note(total: int, so_far: Mapping[str, int]) -> None:
        nonlocal due, seen
        due, seen = total, dict(so_far)
        listener(total, so_far)

    with listening(note):
        state = sync_accounts(which, accounts, force, dry_run, return_state=True)
    # What Prefect has not sent yet, it would send at exit: to a server that may be gone by then.
    APILogWorker.drain_all(timeout=DRAIN)
    EventsWorker.drain_all(timeout=DRAIN)
    flow_run_id = state.state_details.flow_run_id
    return Ended(
        state.name or state.type.value,
        state.message or "",
        str(flow_run_id) if flow_run_id else None,
        due,
        seen,
    )
