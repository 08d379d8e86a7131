"""Who is due: by the index, and whatever the clock once said."""

from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from lastword import runs
from lastword.runs import Which
from models import Account
from models.database import Database
from models.types import now

MANY = 100_000
NUMBERS = {
    True: "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :many)"
    " SELECT n FROM g",
    False: "SELECT generate_series(1, :many) AS n",
}
# Of ten: one paused, one waits for its owner, two for their time; each row as wide as real ones.
CROWD = """
INSERT INTO account (name, source, jid, publisher, template, active, created_at, edited_at, health,
  health_since, failures, due_at, checked_at, published_status, source_memory)
SELECT 'p' || n, 'feed:https://a.example/' || n, n || '@chat.example', 'login', '{text}',
  n % 10 <> 0, :now, :now, CASE n % 10 WHEN 1 THEN 'needs_owner' ELSE 'ok' END, :now, 0,
  CASE WHEN n % 10 IN (2, 3) THEN :later END, :now, :words, :memory
FROM (NUMBERS) AS numbers
"""


async def _fill(database: Database) -> None:
    moment = now()
    values = {"many": MANY, "now": moment, "later": moment + timedelta(hours=3)}
    values |= {"words": "w" * 200, "memory": f'{{"text": "{"m" * 400}"}}'}
    if database.is_sqlite:
        values |= {name: f"{values[name]:%Y-%m-%d %H:%M:%S.%f}" for name in ("now", "later")}
    statement = text(CROWD.replace("NUMBERS", NUMBERS[database.is_sqlite]))
    if not database.is_sqlite:
        statement = text(
            str(statement).replace(":memory", "CAST(:memory AS json)")
            .replace(":now", "CAST(:now AS timestamptz)")
            .replace(":later", "CAST(:later AS timestamptz)")
            .replace("'p' || n", "'p' || n::text")
        )  # fmt: skip
    async with database.writing() as session:
        await (await session.connection()).execute(statement, values)
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as it:
        await it.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE account")


async def test_the_due_of_a_hundred_thousand_come_by_the_index(database: Database) -> None:
    await _fill(database)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute", retval=False)
    def note(*call: Any) -> None:  # noqa: ANN401
        asked.append((call[2], call[3]))

    assert len(await runs.choose(database, Which.DUE)) == MANY * 6 // 10
    query, values = next(one for one in asked if "FROM account" in one[0])
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    async with database.engine.connect() as connection:
        lines = await connection.exec_driver_sql(f"{explain}{query}", values)
        plan = "\n".join(str(line) for line in lines)
    assert "ix_account_due" in plan
    wanted = "USING COVERING INDEX" if database.is_sqlite else "Index Only Scan"
    assert wanted in plan
    # In SQLite it also gives the order.
    assert "TEMP B-TREE" not in plan


async def test_nobody_waits_for_a_moment_that_a_wrong_clock_named(database: Database) -> None:
    hours = {"soon": 20, "past": -20_000, "absurd": 20_000}
    async with database.writing() as session:
        for name, wait in hours.items():
            due_at = now() + timedelta(hours=wait)
            session.add(Account(name=name, source="x:a", jid="a@chat.example", due_at=due_at))
    assert {one.name for one in await runs.choose(database, Which.DUE)} == {"absurd", "past"}


async def test_a_name_is_found_however_it_was_typed(database: Database) -> None:
    async with database.writing() as session:
        session.add(Account(name="zoë", source="x:a", jid="a@chat.example"))
    for name in ("zoë", "zoe\u0308", " zoë "):
        assert [one.name for one in await runs.choose(database, Which.DUE, [name])] == ["zoë"]
