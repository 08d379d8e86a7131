"""The schema: made by migrations, equal to the models, and never half done."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlmodel import SQLModel, select

from models import Account, LedgerEntry, OutcomeKind, Run, schema
from models.database import Database
from models.errors import DatabaseTrouble
from models.schema import Upgraded

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("account") as account:
        account.add_column(sa.Column("colour", sa.String(), nullable=True))
        account.alter_column("template", nullable=True)
{more}
"""


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, SQLModel.metadata))


@dataclass
class NewerCode:
    """This code with one more revision, which makes a table anew."""

    revision: Path
    head: str

    def write(self, more: str = "") -> None:
        self.revision.write_text(NEXT_REVISION.format(head=self.head, more=more))

    def forget(self) -> None:
        self.revision.unlink()


@pytest.fixture
def newer_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewerCode:
    monkeypatch.setattr(
        schema, "MIGRATIONS", shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    )
    code = NewerCode(schema.MIGRATIONS / "versions" / "9999_next.py", schema.head())
    code.write()
    return code


async def _add_history(database: Database) -> None:
    async with database.session() as session, session.begin():
        run = Run(which="due")
        account = Account(name="alice", source="x:alice", jid="alice@chat.example")
        session.add_all([run, account])
        await session.flush()
        assert run.id
        assert account.id
        account.last_run_id = run.id
        session.add(LedgerEntry(run_id=run.id, account_id=account.id, kind=OutcomeKind.PUBLISHED))


async def test_models_and_migrations_agree(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_upgrade_says_whether_there_was_anything_to_do(empty_database: Database) -> None:
    assert await schema.upgrade(empty_database) is Upgraded.CREATED
    assert await schema.upgrade(empty_database) is Upgraded.NOTHING
    await schema.check(empty_database)


async def test_no_schema_is_told(empty_database: Database) -> None:
    if empty_database.file:
        schema.create_file(empty_database.file)
    with pytest.raises(DatabaseTrouble, match="no tables yet: run `lastword init`"):
        await schema.check(empty_database)


async def test_no_file_is_told_and_none_is_made(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with pytest.raises(DatabaseTrouble, match=r"there is no database at .*: run `lastword init`"):
        await schema.check(database)
    assert database.file
    assert not database.file.exists()


async def test_older_schema_is_told_and_upgraded(database: Database, newer_code: NewerCode) -> None:
    del newer_code
    with pytest.raises(DatabaseTrouble, match=r"older than this version.*run `lastword init`"):
        await schema.check(database)
    assert await schema.upgrade(database) is Upgraded.UPDATED
    await schema.check(database)


async def test_newer_schema_is_told_and_left_alone(
    database: Database, newer_code: NewerCode
) -> None:
    await schema.upgrade(database)
    newer_code.forget()
    for act in (schema.check, schema.upgrade):
        with pytest.raises(DatabaseTrouble, match="at revision 9999, which this version"):
            await act(database)


async def test_making_a_table_anew_keeps_what_refers_to_it(
    database: Database, newer_code: NewerCode
) -> None:
    del newer_code
    await _add_history(database)
    await schema.upgrade(database)
    async with database.session() as session:
        assert len((await session.exec(select(LedgerEntry))).all()) == 1
        connection = await session.connection()
        assert (await connection.scalars(text("SELECT colour FROM account"))).all() == [None]


async def test_foreign_keys_hold_after_an_upgrade(database: Database) -> None:
    await _add_history(database)
    async with database.session() as session, session.begin():
        await session.delete((await session.exec(select(Account))).one())
    async with database.session() as session:
        assert (await session.exec(select(LedgerEntry))).all() == []


async def test_an_upgrade_that_fails_changes_nothing(
    database: Database, newer_code: NewerCode
) -> None:
    newer_code.write(more="    raise RuntimeError('half way')")
    with pytest.raises(RuntimeError, match="half way"):
        await schema.upgrade(database)
    newer_code.forget()
    await schema.check(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_two_upgrades_at_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    try:
        done = await asyncio.gather(*map(schema.upgrade, databases))
        assert sorted(done) == [Upgraded.CREATED, *[Upgraded.NOTHING] * 3]
        await schema.check(databases[0])
    finally:
        for database in databases:
            await database.dispose()
