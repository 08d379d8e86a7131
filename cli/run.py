"""`lastword run`: one run now, in this process, with the flow that the schedule uses."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.errors import EXIT_DEGRADED, EXIT_FAILED, EXIT_OK, UsageError
from cli.output import plain, print_json, say
from deployments.profile import client_environment
from deployments.temporary import temporary_server
from deployments.whereabouts import api_in_use
from lastword import runs
from lastword.advice import advice
from lastword.data_dir import make_usable
from lastword.failure_table import ROWS
from lastword.runs import Tally, Which
from lastword.services import open_services
from lastword.settings import Settings
from models import OutcomeKind
from models.database import Database

START = 120.0
"""Seconds for a server of our own to answer: it builds its database at the first start."""
WAIT = 5.0
"""Seconds for one that runs already."""

if TYPE_CHECKING:
    from flows.run_here import Ended


def run(
    *accounts: str,
    which: Literal["due", "failed", "all"] = "due",
    force: bool = False,
    dry_run: bool = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run once now: the same flow as the schedule's, each account a task run in Prefect's UI.

    Exit code: 0 Completed, 3 Degraded (some accounts failed), 1 Failed or not run at all.

    Args:
        accounts: Names: exactly these accounts.
        which: Accounts that are due, those that failed last time, or all active ones.
        force: Publish even where nothing changed.
        dry_run: Do everything but publish, and record nothing.
        json: Print the result as JSON.
    """
    settings = Settings()
    names = list(accounts) or None
    # Meets a missing key, a database of another version or an unknown name before Prefect starts.
    asyncio.run(_check(settings, Which(which), names))
    make_usable(settings.data_dir)

    ended = _run(settings, which, names, force=force, dry_run=dry_run, quiet=json)
    if dry_run:
        counts = {kind: ended.seen[kind.value] for kind in OutcomeKind if kind.value in ended.seen}
        found = Tally(ended.due, counts)
    else:
        found = asyncio.run(_found(settings, ended.flow_run_id))
    if json:
        print_json(
            {
                "state": ended.state,
                "message": ended.message,
                "flow_run_id": ended.flow_run_id,
                "due": found.due,
                "counts": {kind.value: found.counts.get(kind, 0) for kind in OutcomeKind},
                "failures": [asdict(failure) for failure in found.failures],
            }
        )
    else:
        _show(ended.state, ended.message, found)
    return {"Completed": EXIT_OK, "Degraded": EXIT_DEGRADED}.get(ended.state, EXIT_FAILED)


def _run(
    settings: Settings,
    which: Literal["due", "failed", "all"],
    names: list[str] | None,
    *,
    force: bool,
    dry_run: bool,
    quiet: bool,
) -> "Ended":
    told = api_in_use(settings.data_dir)
    with (
        _bar("Starting" if told else "Starting Prefect for this one run", quiet=quiet) as listener,
        nullcontext(told) if told else temporary_server(settings.data_dir) as api,
        _ending_on_sigterm(),
    ):
        # Prefect reads its environment when it is first imported.
        os.environ.update(client_environment(settings.data_dir / "prefect", api))
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        from deployments.server import ServerTrouble, wait_until_it_answers  # noqa: PLC0415
        from flows.run_here import run_here  # noqa: PLC0415

        try:
            asyncio.run(wait_until_it_answers(api, WAIT if told else START))
        except ServerTrouble as error:
            raise UsageError(f"{error}: see `lastword doctor`") from None
        return run_here(which, names, force=force, dry_run=dry_run, listener=listener)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C: both end the run in order, and the server after it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def _check(settings: Settings, which: Which, names: list[str] | None) -> None:
    async with open_services(settings) as services:
        await runs.choose(services.database, which, names)


async def _found(settings: Settings, flow_run_id: str | None) -> Tally:
    """Return the run's tally by our own tables."""
    async with Database.open(settings.database) as database:
        return await runs.tally_of(database, flow_run_id)


@contextmanager
def _bar(text: str, *, quiet: bool) -> Iterator[Callable[[int, Mapping[str, int]], None]]:
    """Show a progress bar on stderr while accounts are done, and yield what moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=quiet
    ) as progress:
        bar = progress.add_task(text, total=None)

        def move(total: int, seen: Mapping[str, int]) -> None:
            said = ", ".join(f"{number} {name}" for name, number in sorted(seen.items()))
            progress.update(bar, total=total, completed=sum(seen.values()), description=said)

        yield move


def _show(state: str, message: str, found: Tally) -> None:
    console = Console()
    colour = {"Completed": "green", "Degraded": "yellow"}.get(state, "red")
    console.print(f"[bold {colour}]{state}[/]:", plain(message), highlight=False)
    if found.failures:
        table = Table("Account", "What happened", "What to do", box=None, header_style="bold")
        for one in found.failures[:ROWS]:
            table.add_row(*map(plain, (one.name, one.reason, advice(one.error, one.name))))
        console.print(table)
        if (more := len(found.failures) - ROWS) > 0:
            say(f"And {more} more: `lastword accounts list` shows all")
