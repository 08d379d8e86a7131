"""Our own tables as metrics for Prometheus: numbers of all accounts together, never of one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlmodel import col, func, select

from lastword import runs
from lastword.runs import Which
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.database import Database


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers(Collector):
    """What is told in one answer."""

    accounts: Mapping[str, int]
    paused: int
    due: int
    ledger: int
    last: Run | None
    ended: Mapping[str, float]
    unfinished: float | None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _by(
            "accounts", "Active accounts", "health", {it: self.accounts.get(it, 0) for it in Health}
        )
        yield GaugeMetricFamily(
            "lastword_accounts_paused", "Accounts that are left out", self.paused
        )
        yield GaugeMetricFamily("lastword_accounts_due", "Accounts that are due now", self.due)
        yield GaugeMetricFamily("lastword_ledger_rows", "Outcomes that are remembered", self.ledger)
        yield _by("run_ended_timestamp_seconds", "When a run last ended so", "state", self.ended)
        if self.unfinished is not None:
            text = "When the oldest run began that has not ended, or whose process died"
            yield GaugeMetricFamily(
                "lastword_unfinished_run_started_timestamp_seconds", text, self.unfinished
            )
        if self.last and self.last.ended_at:
            counts = {kind: getattr(self.last, kind.value.lower()) for kind in OutcomeKind}
            yield _by("last_run_accounts", "Accounts of the last run", "outcome", counts)
            yield GaugeMetricFamily("lastword_last_run_due", "Accounts it was over", self.last.due)
            seconds = (self.last.ended_at - self.last.started_at).total_seconds()
            yield GaugeMetricFamily(
                "lastword_last_run_duration_seconds", "How long it took", seconds
            )


async def metrics(database: Database) -> bytes:
    """Return all metrics in Prometheus's text format.

    Raises:
        DatabaseTrouble: the database cannot be asked.
    """
    registry = CollectorRegistry()
    registry.register(await _numbers(database))
    return generate_latest(registry)


async def _numbers(database: Database) -> _Numbers:
    due = await runs.number_of(database, Which.DUE)
    async with database.session() as session:
        by_health = await session.exec(
            select(Account.health, func.count())
            .where(col(Account.active))
            .group_by(col(Account.health))
        )
        paused = await session.exec(select(func.count()).where(col(Account.active).is_(False)))
        ledger = await session.exec(select(func.count()).select_from(LedgerEntry))
        ended = await session.exec(
            select(Run.state, func.max(Run.ended_at))
            .where(col(Run.ended_at).is_not(None))
            .group_by(Run.state)
        )
        last = await session.exec(
            select(Run).where(col(Run.ended_at).is_not(None)).order_by(col(Run.id).desc()).limit(1)
        )
        unfinished = await session.exec(
            select(func.min(Run.started_at)).where(col(Run.ended_at).is_(None))
        )
        since = unfinished.one()
        return _Numbers(
            accounts=dict(by_health.all()),
            paused=paused.one(),
            due=due,
            ledger=ledger.one(),
            last=last.first(),
            ended={state: at.timestamp() for state, at in ended if at},
            unfinished=since.timestamp() if since else None,
        )


def _by(name: str, text: str, label: str, values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"lastword_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([str(value)], number)
    return family
