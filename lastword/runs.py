"""A run in our own tables: who is due, how it begins, how it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from unicodedata import normalize

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy.orm import load_only
from sqlmodel import col, select

from lastword.errors import Defect, Gone, LastWordError, Transient
from lastword.health import farthest
from lastword.sources.base import Source
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.database import Database
from models.types import now


class Which(StrEnum):
    """Which accounts a run is over."""

    DUE = "due"
    FAILED = "failed"
    ALL = "all"


class WrongChoice(LastWordError):
    """Names that no run can be over: told before anything runs."""


@dataclass(frozen=True, slots=True)
class AccountRef:
    """A reference to an account: all that ever enters Prefect."""

    id: int
    name: str


# The best last; before them comes what waits for people, whatever its error is called.
_RANK = {Defect.__name__: 1, Transient.__name__: 2, Gone.__name__: 3}


@dataclass(frozen=True, slots=True)
class Failure:
    """One line of a run's table of failures.

    Attributes:
        name: the account's.
        error: the error's class name.
        reason: what happened.
        since: since when the account has been of its health (aware).
    """

    name: str
    error: str | None
    reason: str
    since: datetime

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """What the worst is first by: what waits for people, then what lasts the longest."""
        return (_RANK.get(self.error or "", 0), self.since, self.name)


@dataclass(frozen=True, slots=True)
class Tally:
    """How a run ended by our own tables."""

    due: int
    counts: dict[OutcomeKind, int]
    failures: list[Failure] = field(default_factory=list)

    @property
    def without_outcome(self) -> int:
        """Accounts that were due and have no outcome: their task died; the next run repairs it."""
        return self.due - sum(self.counts.values())


def matching(which: Which, moment: datetime) -> list[ColumnElement[bool]]:
    """Return what an account must be like for a run that begins at this moment (aware)."""
    active = col(Account.active).is_(True)
    match which:
        case Which.DUE:
            due_at = col(Account.due_at)
            # As `waits_until` says it.
            due = or_(due_at.is_(None), due_at <= moment, due_at > farthest(moment))
            return [active, col(Account.health) != Health.NEEDS_OWNER, due]
        case Which.FAILED:
            return [active, col(Account.last_outcome) == OutcomeKind.FAILED]
        case Which.ALL:
            return [active]


async def number_of(database: Database, which: Which) -> int:
    """Return how many accounts a run would be over that began now."""
    chosen = select(func.count()).select_from(Account).where(*matching(which, now()))
    async with database.session() as session:
        return (await session.exec(chosen)).one()


async def choose(
    database: Database, which: Which, names: Sequence[str] | None = None
) -> list[AccountRef]:
    """Return references to the accounts that a run is over, those first that wait the longest.

    A host that lets only some of its accounts be looked at in each run lets each in its turn.

    Args:
        database: ours.
        which: which accounts; ignored where names are given.
        names: exactly these accounts.

    Raises:
        WrongChoice: a name is unknown, or its account is paused.
    """
    if names:
        names = [normalize("NFC", name.strip()) for name in names]
        named = col(Account.name).in_(names)
        async with database.session() as session:
            found = await session.exec(select(Account.name, Account.active).where(named))
            _check_names(names, dict(found.all()))
        return await refs(database, [named])
    return await refs(database, matching(which, now()))


async def refs(database: Database, wanted: Sequence[ColumnElement[bool]]) -> list[AccountRef]:
    """Return references to all accounts like that, those first that wait the longest."""
    turn = (col(Account.checked_at).asc().nulls_first(), col(Account.name))
    async with database.session() as session:
        rows = await session.exec(select(Account.id, Account.name).where(*wanted).order_by(*turn))
        return [AccountRef(key, name) for key, name in rows if key is not None]


def _check_names(names: Sequence[str], known: Mapping[str, bool]) -> None:
    if unknown := sorted(set(names) - known.keys()):
        raise WrongChoice(
            f"no account is named {', '.join(unknown)}: `lastword accounts list` shows all names"
        )
    if paused := sorted(name for name, active in known.items() if not active):
        raise WrongChoice(f"paused: {', '.join(paused)}; `lastword accounts resume NAME` first")


_LOOKED_AT: tuple[Any, ...] = (Account.source, Account.source_memory)
_AT_ONCE = 500


def _among(ids: Sequence[int]) -> list[ColumnElement[bool]]:
    """Return conditions that together let pass all of these ids, and hardly any others.

    One range is the quickest, but whoever stands between would be read, too: two accounts may have
    a hundred thousand between them.

    Args:
        ids: ascending.
    """
    key = col(Account.id)
    if ids[-1] - ids[0] < 2 * len(ids):
        return [key.between(ids[0], ids[-1])]
    return [key.in_(ids[at : at + _AT_ONCE]) for at in range(0, len(ids), _AT_ONCE)]


async def expect(
    database: Database, sources: Mapping[str, Source], refs: Sequence[AccountRef]
) -> None:
    """Tell each source which of its accounts a run is over: some ask for many at once."""
    wanted = {ref.id for ref in refs}
    if not wanted:
        return
    among = _among(sorted(wanted))
    # What sources look at: whole rows are many times larger.
    looked_at = load_only(*_LOOKED_AT, raiseload=True)
    async with database.session() as session:
        for kind, source in sources.items():
            if type(source).expect is not Source.expect:
                of_kind = col(Account.source).startswith(f"{kind}:")
                of_source = select(Account).where(of_kind).options(looked_at)
                rows = [it for some in among for it in await session.exec(of_source.where(some))]
                source.expect([it for it in rows if it.id in wanted])


async def begin(
    database: Database, which: Which, due: int, flow_run_id: str | None, *, force: bool = False
) -> int:
    """Open a run's row and return its id; rows that a dead process left open are closed."""
    async with database.writing() as session:
        unfinished = await session.exec(select(Run).where(col(Run.ended_at).is_(None)))
        for run in unfinished:
            run.ended_at, run.state = now(), "Crashed"
            run.message = "its process died; the next run took over"
        run = Run(which=which.value, due=due, flow_run_id=flow_run_id, force=force)
        session.add(run)
        await session.flush()
        if run.id is None:  # pragma: no cover: the database gave the row its id above
            raise AssertionError
        return run.id


async def tally(database: Database, run_id: int, due: int) -> Tally:
    """Return how many accounts ended in which way in a run, and its failures, worst first."""
    of_run = col(Account.last_run_id) == run_id
    async with database.session() as session:
        counts = await session.exec(
            select(Account.last_outcome, func.count()).where(of_run).group_by(Account.last_outcome)
        )
        failed = select(
            Account.name, Account.last_error, Account.last_reason, Account.health_since
        ).where(of_run, col(Account.last_outcome) == OutcomeKind.FAILED)
        failures = [
            Failure(name, error, reason or "", since)
            for name, error, reason, since in await session.exec(failed)
        ]
        return Tally(
            due=due,
            counts={OutcomeKind(kind): number for kind, number in counts if kind is not None},
            failures=sorted(failures, key=lambda failure: failure.rank),
        )


async def outcomes(
    database: Database, run_id: int, accounts: Sequence[int]
) -> dict[int, OutcomeKind]:
    """Return the outcomes that accounts have in a run already, by the accounts' ids."""
    query = select(Account.id, Account.last_outcome).where(
        col(Account.id).in_(accounts), col(Account.last_run_id) == run_id
    )
    async with database.session() as session:
        found = await session.exec(query)
        return {key: OutcomeKind(kind) for key, kind in found if key is not None and kind}


async def tally_of(database: Database, flow_run_id: str | None) -> Tally:
    """Return the tally of the run that was this flow run; an empty one where there was none."""
    async with database.session() as session:
        found = await session.exec(select(Run).where(col(Run.flow_run_id) == flow_run_id))
        run = found.first()
    if run is None or run.id is None:
        return Tally(0, {})
    return await tally(database, run.id, run.due)


async def still_there(database: Database, accounts: Sequence[AccountRef]) -> int:
    """Return how many of these accounts have not been removed meanwhile."""
    wanted = {ref.id for ref in accounts}
    async with database.session() as session:
        return len(wanted.intersection(await session.exec(select(col(Account.id)))))


async def finish(database: Database, run_id: int, ended: Tally, state: str, message: str) -> None:
    """Close a run's row with its counts, which add up to what was due."""
    async with database.writing() as session:
        run = await session.get_one(Run, run_id)
        run.due = ended.due
        run.ended_at, run.state, run.message = now(), state, message
        for kind in OutcomeKind:
            setattr(run, kind.value.lower(), ended.counts.get(kind, 0))


async def history(database: Database, account_id: int, limit: int = 5) -> list[LedgerEntry]:
    """Return an account's newest ledger entries, newest first."""
    async with database.session() as session:
        entries = await session.exec(
            select(LedgerEntry)
            .where(LedgerEntry.account_id == account_id)
            .order_by(col(LedgerEntry.id).desc())
            .limit(limit)
        )
        return list(entries)


async def recent(database: Database, number: int) -> list[Run]:
    """Return so many runs, newest first."""
    async with database.session() as session:
        return list(await session.exec(select(Run).order_by(col(Run.id).desc()).limit(number)))


async def last_began(database: Database) -> datetime | None:
    """Return when the newest run began, or None."""
    async with database.session() as session:
        newest = select(Run.started_at).order_by(col(Run.id).desc()).limit(1)
        return (await session.exec(newest)).first()


async def ended_after(database: Database, run_id: int) -> list[Run]:
    """Return the runs that ended, newer than this one, oldest first."""
    async with database.session() as session:
        found = await session.exec(
            select(Run)
            .where(col(Run.ended_at).is_not(None), col(Run.id) > run_id)
            .order_by(col(Run.id))
        )
        return list(found)
