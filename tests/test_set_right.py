"""What Prefect still shows as under way of runs that are over, against a real Prefect server."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import Completed, Running
from sqlalchemy import event

from lastword.earlier import ended
from models import Account, LedgerEntry, OutcomeKind, Run, Shard, schema
from models.database import Database
from models.types import now
from tasks.set_right import set_right

pytestmark = pytest.mark.xdist_group("prefect")

LONG_AGO = timedelta(minutes=30)


@flow
def a_run() -> None: ...


@task
def a_task() -> None: ...


async def _left(client: PrefectClient, *names: str, parent: str | None = None) -> str:
    """Leave task runs that are under way; return their flow run's id."""
    below = None
    if parent:  # as `arun_deployment` has it: below a task run that stands for it
        stands_for_it = await client.create_task_run(
            a_task, UUID(parent), dynamic_key=str(uuid4()), name="a shard", state=Completed()
        )
        below = stands_for_it.id
    run = await client.create_flow_run(a_run, parent_task_run_id=below)
    for name in names:
        await client.create_task_run(
            a_task, flow_run_id=run.id, dynamic_key=str(uuid4()), name=name, state=Running()
        )
    return str(run.id)


async def _states(client: PrefectClient, flow_run: str) -> dict[str, tuple[str, str]]:
    wanted = {"flow_runs": {"id": {"any_": [flow_run]}}}
    rows = (await client.request("POST", "/task_runs/filter", json=wanted)).json()
    return {it["name"]: (it["state"]["name"], it["state"].get("message") or "") for it in rows}


async def _run(database: Database, flow_run: str, ended_at: datetime | None, state: str) -> int:
    async with database.writing() as session:
        began = (ended_at or now()) - timedelta(minutes=1)
        run = Run(which="due", due=4, flow_run_id=flow_run, started_at=began, ended_at=ended_at)
        run.state = state
        session.add(run)
        await session.flush()
        return run.id or 0


async def _account(database: Database, name: str, *ends: tuple[int, OutcomeKind, str]) -> None:
    """Add an account with outcomes in the ledger; the last is its latest, in the ledger or not."""
    async with database.writing() as session:
        account = Account(name=name, source=f"x:{name}", jid=f"{name}@chat.example")
        session.add(account)
        await session.flush()
        for run_id, kind, reason in ends:
            account.last_run_id, account.last_outcome, account.last_reason = run_id, kind, reason
            if kind is not OutcomeKind.SKIPPED:
                session.add(
                    LedgerEntry(run_id=run_id, account_id=account.id or 0, kind=kind, reason=reason)
                )


async def test_the_next_run_sets_right_what_prefect_missed(
    prefect_server: None, database: Database
) -> None:
    del prefect_server
    names = ("sync told", "sync refused", "sync same", "sync lost", "sync accounts 1 to 9 of 9")
    async with get_client() as client:
        whole = await _left(client, *names, "report the run")
        killed = await _left(client, "sync told", "sync lost", "choose accounts")
        first = await _run(database, whole, now() - LONG_AGO, "Degraded")
        second = await _run(database, killed, None, "Running")
        await _account(
            database,
            "told",
            (first, OutcomeKind.PUBLISHED, "by shared_status"),
            (second, OutcomeKind.UNCHANGED, "nothing new"),
        )
        await _account(database, "refused", (first, OutcomeKind.FAILED, "the password is wrong"))
        await _account(database, "same", (first, OutcomeKind.SKIPPED, "no posts"))
        await _account(database, "lost")
        said = await set_right(database)
        assert said
        assert "9 task runs as under way; set right by our ledger." in said
        assert await _states(client, whole) == {
            "sync told": ("Published", "by shared_status"),
            "sync refused": ("Failed", "the password is wrong"),
            "sync same": ("Skipped", "no posts"),
            "sync lost": ("Crashed", "there is no outcome of it in the ledger"),
            "sync accounts 1 to 9 of 9": ("Completed", "its run is over"),
            "report the run": ("Completed", "its run is over"),
        }
        assert await _states(client, killed) == {
            "sync told": ("Unchanged", "nothing new"),
            "sync lost": ("Crashed", "its process died"),
            "choose accounts": ("Crashed", "its process died"),
        }
        assert await set_right(database) is None


async def test_a_run_that_has_just_ended_is_left_alone(
    prefect_server: None, database: Database
) -> None:
    del prefect_server
    async with get_client() as client:
        young = await _left(client, "sync told")
        await _run(database, young, now(), "Completed")
        assert await set_right(database) is None
        assert (await _states(client, young))["sync told"][0] == "Running"


async def test_what_a_killed_shard_left_is_set_right_once_its_run_is_over(
    prefect_server: None, database: Database
) -> None:
    del prefect_server
    async with get_client() as client:
        whole = await _left(client, "follow 1 shards")
        killed = await _left(client, "take the shard", "sync told", "sync lost", parent=whole)
        again = await _left(client, "close the shard", parent=whole)
        run_id = await _run(database, whole, None, "Running")
        await _account(database, "told", (run_id, OutcomeKind.PUBLISHED, "by shared_status"))
        async with database.writing() as session:
            session.add(Shard(run_id=run_id, number=1, first=1, last=9, due=2))
        # Its own process has died, but the shard's may be at work.
        assert await set_right(database) is None
        assert {name for name, _ in (await _states(client, killed)).values()} == {"Running"}
        async with database.writing() as session:
            run = await session.get_one(Run, run_id)
            run.ended_at, run.state = now() - LONG_AGO, "Degraded"
        said = await set_right(database)
        assert said
        # With the two that stand for the flow runs of the shards.
        assert "7 task runs as under way; set right by our ledger." in said
        assert await _states(client, killed) == {
            "take the shard": ("Completed", "its run is over"),
            "sync told": ("Published", "by shared_status"),
            "sync lost": ("Crashed", "there is no outcome of it in the ledger"),
        }
        assert (await _states(client, again))["close the shard"][0] == "Completed"
        assert await set_right(database) is None


async def test_a_repeat_that_the_ledger_leaves_out(database: Database) -> None:
    before, run = [
        await _run(database, "x", now() - age, "Completed") for age in (2 * LONG_AGO, LONG_AGO)
    ]
    await _account(database, "quiet", (before, OutcomeKind.UNCHANGED, "nothing new"))
    await _account(database, "busy", (before, OutcomeKind.PUBLISHED, "by pep"))
    async with database.session() as session:
        of_run = await session.get_one(Run, run)
    assert await ended(database, of_run, ["quiet", "busy"]) == {
        "quiet": (OutcomeKind.UNCHANGED, "nothing new")
    }
    of_run.state = "Crashed"
    assert await ended(database, of_run, ["quiet"]) == {}


async def test_of_a_long_ledger_only_what_is_asked_for_is_read(sqlite_url: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:  # noqa: ANN401 (SQLAlchemy's event)
        asked.append((call[2], call[3]))

    async with Database.open(sqlite_url, check=False) as database:
        await schema.upgrade(database)
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        assert await ended(database, Run(id=9, which="due"), ["told", "lost"]) == {}
        query, values = next(one for one in asked if "FROM ledger" in one[0])
        async with database.engine.connect() as connection:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)
            steps = [str(step[-1]) for step in plan]
    assert any(it.startswith("SEARCH ledger USING INDEX ix_ledger_account_id") for it in steps)
    assert not any(it.startswith("SCAN ledger") for it in steps)
