"""The judge: does the ledger add up, was no refused password tried again, is every view right?"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import text
from sqlmodel import select

from bench.chaos.crowd import POISONS, Someone
from bench.chaos.telling import Done
from bench.chaos.witnessed import Tried
from demo.contact import Seen
from models import Account, OutcomeKind, Run
from models.database import Database

_TWICE = text(
    "SELECT run_id, account_id, count(*) FROM ledger"
    " GROUP BY run_id, account_id HAVING count(*) > 1"
)
_CONSTRAINT = text(
    "SELECT count(*) FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
    " WHERE relname = 'ledger' AND contype = 'u'"
)
_BY_KIND = text("SELECT run_id, kind, count(*) FROM ledger GROUP BY run_id, kind")
_TOO_MANY = text(
    "SELECT run.id, run.due, count(*) FROM run JOIN ledger ON run.id = run_id"
    " GROUP BY run.id, run.due HAVING count(*) > run.due"
)
_ALWAYS_KEPT = (OutcomeKind.PUBLISHED, OutcomeKind.DEFERRED, OutcomeKind.FAILED)
"""Outcomes that have a row in the ledger each time; the others, unless they are repeated."""
_CUT_OFF = 30.0
"""Seconds between a login and the fault that may have cut it off."""


async def troubles_of_ledger(database: Database, faults: Sequence[Done]) -> list[str]:
    """Return what does not add up in our tables, one line for each."""
    async with database.session() as session:
        ask = (await session.connection()).execute
        twice = (await ask(_TWICE)).all()
        constraints = (await ask(_CONSTRAINT)).scalar_one()
        too_many = (await ask(_TOO_MANY)).all()
        kept = {(run_id, kind): number for run_id, kind, number in await ask(_BY_KIND)}
        runs = list(await session.exec(select(Run).order_by("id")))
    found = [f"run {run}, account {account}: {count} outcomes" for run, account, count in twice]
    found += [f"run {run}: {count} outcomes of {due} accounts" for run, due, count in too_many]
    if not constraints:
        found.append("no constraint keeps an account from two outcomes in one run")
    for run in runs:
        found += _troubles_of_run(run, kept, faults)
    for one, next_one in pairwise(runs):
        if one.ended_at and one.state != "Crashed" and one.ended_at > next_one.started_at:
            found.append(f"run {next_one.id} began before run {one.id} had ended")
    return found


def _troubles_of_run(
    run: Run, kept: dict[tuple[Any, Any], int], faults: Sequence[Done]
) -> Iterator[str]:
    if run.ended_at is None:
        yield f"run {run.id} was never closed"
        return
    if run.state == "Crashed":
        return
    counts = {kind: getattr(run, kind.value.lower()) for kind in OutcomeKind}
    without = run.due - sum(counts.values())
    is_told = f"{without} without outcome" in run.message
    if without and not (is_told and _within(run, faults)):
        yield f"run {run.id}: {run.due} were due, {sum(counts.values())} have an outcome"
    for kind in _ALWAYS_KEPT:
        if (number := kept.get((run.id, kind.value), 0)) != counts[kind]:
            yield f"run {run.id}: {counts[kind]} {kind}, {number} of them in the ledger"


def _within(run: Run, faults: Sequence[Done]) -> bool:
    """Tell whether the database was taken away from a run."""
    began, ended = run.started_at.timestamp(), run.ended_at.timestamp() if run.ended_at else 0
    return any(
        "PostgreSQL" in fault.words and began < fault.ended and fault.began < ended
        for fault in faults
    )


def troubles_of_logins(
    people: Iterable[Someone], tried: Sequence[Tried], faults: Sequence[Done]
) -> list[str]:
    """Return which refused passwords were tried again, one line for each.

    Twice is once too often, but where something was killed in the very moment between the
    server's answer and our note of it (docs/decisions/0010-first-logins-are-noted.md).
    """
    found = []
    for person in people:
        if person.poison != "password":
            continue
        moments = [it.at for it in tried if it.name == person.name]
        if any(it.accepted for it in tried if it.name == person.name):
            found.append(f"{person.name}: a wrong password was accepted")
        if not moments:
            found.append(f"{person.name}: the wrong password was never tried")
        cut_off = [
            first
            for first, second in pairwise(moments)
            if any(first - 1 < it.began < min(second, first + _CUT_OFF) for it in faults)
        ]
        if len(moments) > 1 + len(cut_off) or len(moments) > 2:  # noqa: PLR2004 (see above)
            found.append(f"{person.name}: a refused password was tried {len(moments)} times")
    return found


async def troubles_of_accounts(database: Database, people: Iterable[Someone]) -> list[str]:
    """Return which accounts do not stand as they must, one line for each."""
    async with database.session() as session:
        rows = {account.name: account for account in await session.exec(select(Account))}
    found = []
    for person in people:
        account = rows[person.name]
        if not person.poison and account.last_error:
            found.append(
                f"{person.name} is well, and {account.last_outcome}: {account.last_reason}"
            )
        if person.poison and account.last_error not in POISONS[person.poison]:
            said = f"{account.last_outcome}, {account.last_error}: {account.last_reason}"
            found.append(f"{person.name} ({person.poison}): {said}")
        if person.poison and account.published_status:
            found.append(f"{person.name} ({person.poison}): something was published")
    return found


def troubles_of_view(people: Iterable[Someone], seen: Mapping[str, Seen]) -> list[str]:
    """Return of whom the contact sees anything but their newest post, one line for each."""
    found = []
    for person in people:
        shown = seen[person.name].activity
        wanted = None if person.poison else person.status
        if shown != wanted:
            found.append(f"{person.name}: the contact sees “{shown}”, not “{wanted}”")
    return found


def attempts(people: Iterable[Someone], tried: Sequence[Tried]) -> Counter[int]:
    """Return how many wrong passwords were tried how often."""
    counts = Counter(it.name for it in tried)
    return Counter(counts[person.name] for person in people if person.poison == "password")


async def runs_seen(database: Database) -> str:
    """Return how our runs ended, in words."""
    async with database.session() as session:
        states = Counter(await session.exec(select(Run.state)))
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
