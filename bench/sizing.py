"""The sizing table of docs/scaling.md: what so many accounts need, by what the benches found.

Each figure is one of a bench times so many accounts; the page says which. Where a bench has left
none yet, the table says so. `bench.page` writes it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Self

from bench.figures import Figures, Row, Table, written

BEGINS, ENDS = "<!-- sizes: by bench.page -->", "<!-- end of sizes -->"
SIZES = (800, 10_000, 100_000, 1_000_000)
INTERVAL = 1_800.0
"""Seconds from run to run."""
RUNS_A_DAY = 48
MESSAGES = 2
"""That a task run sends, as long as it is not retried."""
SHARED = 100
"""Accounts that share a task run."""
SHARD = 2_000
BUSY = 0.5
"""A core, or a server, is given half of what it could do: who has no rest cannot catch up."""
_GB = 1e9

# As `python -m bench.growth` says it, in docs/operating.md.
_COST = r"48 . \((\d+) KB \+ 800 . ([\d.]+) KB\)"
_LEDGER = r"([\d,]+) rows . (\d+) bytes"


@dataclass(frozen=True, slots=True)
class Costs:
    """What the benches found.

    Attributes:
        our_cpu: seconds of CPU of the process that runs, for an account.
        prefects_cpu: the same of Prefect's server.
        single: task runs that it records in a second in the profile `single`.
        cluster: the same in `cluster`.
        redis: bytes of Redis for a task run.
        run: bytes of Prefect's database for a run.
        task_run: the same for a task run in it.
        ledger: bytes of our ledger for an account and day.
    """

    our_cpu: float
    prefects_cpu: float
    single: float
    cluster: float
    redis: float
    run: float
    task_run: float
    ledger: float

    @classmethod
    def of(cls, found: Sequence[Figures], operating: str) -> Self | None:
        """Return the costs; None where a bench has left no figures yet.

        Args:
            found: by the benches.
            operating: the text of docs/operating.md.
        """
        known = {it.name: it for it in found}
        if not {"sides", "broker"} <= known.keys():
            return None
        ways, runs = known["sides"].tables
        accounts = _figure(ways, "flow", "done")
        usual = "by login, 5 % changed"
        bursts = known["broker"].tables[0]
        recorded, number = "recorded, a second", "recorded"
        labels = [row.label for row in bursts.rows]
        single = next(label for label in labels if label.startswith("single:"))
        cluster = next(label for label in reversed(labels) if label.startswith("cluster:"))
        events, records = re.findall(_COST, operating)
        rows, size = re.findall(_LEDGER, operating)[0]
        return cls(
            our_cpu=_figure(runs, usual, "CPU, s") / accounts,
            prefects_cpu=_figure(runs, usual, "Prefect, CPU s") / accounts,
            single=_figure(bursts, single, recorded),
            cluster=_figure(bursts, cluster, recorded),
            redis=_figure(bursts, cluster, "Redis at most, MB")
            * 1e6
            / _figure(bursts, cluster, number),
            run=(float(events[0]) + float(records[0])) * 1e3,
            task_run=(float(events[1]) + float(records[1])) * 1e3,
            ledger=float(rows.replace(",", "")) * float(size) / 800,
        )


def with_sizes(page: str, found: Sequence[Figures], operating: str) -> str:
    """Return docs/scaling.md with the present table between its marks.

    Raises:
        ValueError: it has no such marks.
    """
    before, begun, rest = page.partition(BEGINS)
    _, ended, after = rest.partition(ENDS)
    if not begun or not ended:
        raise ValueError(f"docs/scaling.md has no {BEGINS} and {ENDS}")
    costs = Costs.of(found, operating)
    told = _markdown(sizes(costs)) if costs else "Not measured yet: `make bench`, see below.\n"
    return f"{before}{BEGINS}\n{told}{ENDS}{after}"


def sizes(costs: Costs) -> Table:
    """Return what so many accounts need."""
    rows = [_row(number, 1, costs) for number in SIZES]
    rows += [_row(number, SHARED, costs) for number in SIZES if number > SHARD]
    return Table(
        "accounts, and how many share a task run",
        list(rows[0][1]),
        [Row(label, list(values.values())) for label, values in rows],
    )


def _row(accounts: int, shared: int, costs: Costs) -> tuple[str, Mapping[str, float]]:
    task_runs = ceil(accounts / shared)
    # What Prefect's server does is for task runs; what our process does is for accounts.
    servers = ceil(task_runs / INTERVAL / costs.cluster / BUSY)
    rate = costs.single if accounts <= SHARD else servers * costs.cluster
    label = f"{accounts:,}, " + ("one each" if shared == 1 else f"{shared:,}")
    return label, {
        "shards": ceil(accounts / SHARD) if accounts > SHARD else 1,
        "worker cores": ceil(accounts * costs.our_cpu / INTERVAL / BUSY),
        "server cores": ceil(task_runs * costs.prefects_cpu / INTERVAL / BUSY),
        "messages a second": task_runs * MESSAGES / INTERVAL,
        "Prefect's servers": servers,
        "recorded after, s": task_runs / rate,
        "Redis, GB": task_runs * costs.redis / _GB,
        "Prefect's database, GB a day": RUNS_A_DAY * (costs.run + task_runs * costs.task_run) / _GB,
        "our ledger, GB a day": accounts * costs.ledger / _GB,
    }


def _figure(table: Table, label: str, column: str) -> float:
    row = next(row for row in table.rows if row.label == label)
    return float(row.values[table.columns.index(column)] or 0)


def _markdown(table: Table) -> str:
    lines = [f"| {' | '.join([table.title, *table.columns])} |"]
    lines += [f"| --- |{' ---: |' * len(table.columns)}"]
    lines += [f"| {' | '.join([row.label, *map(written, row.values)])} |" for row in table.rows]
    return "\n".join(lines) + "\n"
