"""Backup and restore on real databases, also in the middle of a run."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text
from sqlmodel import select

from deployments.whereabouts import not_up
from lastword import runs
from lastword.attempt import attempt
from lastword.backup import backup, restore
from lastword.eligibility import Choice, Rules
from lastword.post import Post
from lastword.publishers.base import Confirmation, Publisher
from lastword.runs import Which
from lastword.secrets import Keyring, KeyTrouble
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account, Run, schema
from models.database import Database
from models.errors import DatabaseTrouble
from models.run_lock import RunUnderWay, run_lock
from tests.fixtures_cli import Lastword, assert_refused

ACCOUNTS = 12


class OwnWords(Source):
    """A source whose newest post of each account never changes."""

    def __init__(self) -> None:
        pass

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        return rules.choose(
            [Post(id="1", text=f"Words of {account.name}", url="https://a.example")]
        )


@dataclass
class ChatServer(Publisher):
    """What a chat server shows of each JID, whoever asks; acts in the middle of a run."""

    shown: dict[str, str | None] = field(default_factory=dict)
    sets: Counter[str] = field(default_factory=Counter)
    after_set: Callable[[int], Awaitable[None]] | None = None

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["_Login"]:
        yield _Login(self, account.jid)

    async def stands(self, account: Account) -> bool:
        del account
        return True

    async def close(self) -> None:
        pass


@dataclass
class _Login:
    server: ChatServer
    jid: str

    async def current(self) -> str | None:
        return self.server.shown.get(self.jid)

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del post
        self.server.shown[self.jid] = status
        self.server.sets[self.jid] += 1
        if self.server.after_set:
            await self.server.after_set(self.server.sets.total())
        return Confirmation("chat")


async def run(settings: Settings, server: ChatServer) -> list[str]:
    """Run over the due accounts; return why each is as it is."""
    async with Database.open(settings.database) as database, run_lock(database):
        services = Services(
            settings=settings,
            database=database,
            http=cast("GuardedClient", None),
            sources={"feed": OwnWords()},
            publishers={"login": server},
            until_the_end=AsyncExitStack(),
        )
        refs = await runs.choose(database, Which.DUE)
        run_id = await runs.begin(database, Which.DUE, len(refs), None)
        ended_as = [await attempt(ref, run_id, services, last=True) for ref in refs]
        ended = await runs.tally(database, run_id, len(refs))
        await runs.finish(database, run_id, ended, "Completed", "")
    return [outcome.reason for outcome, _ in ended_as]


async def set_up(settings: Settings) -> None:
    Keyring.create(settings.key_path)
    async with Database.open(settings.database, check=False) as database:
        await schema.upgrade(database)
        await Keyring.load(settings).adopt(database)
        async with database.writing() as session:
            for number in range(ACCOUNTS):
                name = f"a{number}"
                jid, source = f"{name}@chat.example", f"feed:https://a.example/{name}"
                session.add(Account(name=name, source=source, jid=jid))


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> Settings:
    """An installation with accounts, once on SQLite and once on PostgreSQL."""
    settings = Settings(data_dir=tmp_path / "here", database_url=database_url)
    await set_up(settings)
    return settings


@pytest.fixture
def elsewhere(tmp_path: Path, here: Settings, other_database_url: str) -> Settings:
    """Another installation, which has been given nothing but the key."""
    return Settings(
        data_dir=tmp_path / "elsewhere", database_url=other_database_url, key_file=here.key_path
    )


async def test_saved_in_the_middle_of_a_run_nothing_is_published_twice_or_lost(
    tmp_path: Path, here: Settings, elsewhere: Settings
) -> None:
    server = ChatServer()

    async def save(number: int) -> None:
        # On the server already, and not recorded yet: the worst moment there is.
        if number == ACCOUNTS // 2:
            await backup(here, tmp_path / "saved")

    server.after_set = save
    await run(here, server)
    await restore(elsewhere, tmp_path / "saved")
    reasons = Counter(await run(elsewhere, server))

    assert server.sets == {f"a{number}@chat.example": 1 for number in range(ACCOUNTS)}
    assert server.shown == {f"a{n}@chat.example": f"Words of a{n}" for n in range(ACCOUNTS)}
    known = ACCOUNTS // 2 - 1
    assert reasons == {"nothing new": known, "the server has it already": ACCOUNTS - known}
    async with Database.open(elsewhere.database) as database, database.session() as session:
        states = [one.state for one in await session.exec(select(Run))]
    assert len(states) == 2
    assert "Running" not in states, "the run that was under way in the backup is closed"


async def test_a_database_is_replaced_by_force_only(tmp_path: Path, here: Settings) -> None:
    saved = await backup(here, tmp_path)
    assert saved.file.stat().st_mode & 0o777 == 0o600
    async with Database.open(here.database) as database, database.writing() as session:
        await session.delete((await session.exec(select(Account))).first())
    with pytest.raises(DatabaseTrouble, match=r"already.*`--force`"):
        await restore(here, saved.file)
    await restore(here, saved.file, force=True, dry_run=True)
    assert await accounts(here) == ACCOUNTS - 1
    done = await restore(here, saved.file, force=True)
    assert await accounts(here) == ACCOUNTS
    if done.kept:
        before = Settings(data_dir=here.data_dir, database_url=f"sqlite:///{done.kept}")
        assert await accounts(before) == ACCOUNTS - 1


async def accounts(settings: Settings) -> int:
    async with Database.open(settings.database) as database, database.session() as session:
        return len((await session.exec(select(Account))).all())


async def test_not_while_a_run_is_under_way(tmp_path: Path, here: Settings) -> None:
    saved = await backup(here, tmp_path)
    async with Database.open(here.database) as database, run_lock(database):
        with pytest.raises(RunUnderWay):
            await restore(here, saved.file, force=True)
    assert await accounts(here) == ACCOUNTS


async def test_another_key_is_told_before_anything_changes(
    tmp_path: Path, here: Settings, elsewhere: Settings
) -> None:
    saved = await backup(here, tmp_path)
    other = elsewhere.model_copy(update={"key_file": tmp_path / "other-key"})
    with pytest.raises(KeyTrouble, match="there is no key"):
        await restore(other, saved.file)
    Keyring.create(other.key_path)
    with pytest.raises(KeyTrouble, match=f"were sealed with {saved.key_id}"):
        await restore(other, saved.file)
    await restore(elsewhere, saved.file)


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This code with one more revision of the schema: its file, until it is removed."""
    head = schema.head()
    migrations = shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    added = migrations / "versions" / "9999_next.py"
    added.write_text(f"revision, down_revision = '9999', '{head}'\ndef upgrade(): pass\n")
    return added


async def test_an_older_schema_is_brought_up_to_date_and_a_newer_one_refused(
    tmp_path: Path, here: Settings, elsewhere: Settings, request: pytest.FixtureRequest
) -> None:
    before, old = schema.head(), await backup(here, tmp_path)
    next_version: Path = request.getfixturevalue("next_version")
    done = await restore(elsewhere, old.file)
    assert (done.revision, done.upgraded) == (before, True)
    assert await accounts(elsewhere) == ACCOUNTS
    new = await backup(elsewhere, tmp_path / "new")
    next_version.unlink()
    with pytest.raises(DatabaseTrouble, match=r"the backup .*at revision 9999, which this version"):
        await restore(here, new.file, force=True)
    assert await accounts(here) == ACCOUNTS


async def test_what_is_no_backup_is_told(tmp_path: Path, here: Settings) -> None:
    bad = tmp_path / "bad"
    with pytest.raises(DatabaseTrouble, match="cannot be read: No such file"):
        await restore(here, bad)
    bad.write_text("hello")
    with pytest.raises(DatabaseTrouble, match="no backup of Last Word"):
        await restore(here, bad)
    saved = await backup(here, tmp_path)
    bad.write_bytes(saved.file.read_bytes()[:9000])
    with pytest.raises(DatabaseTrouble):
        await restore(here, bad, force=True)
    assert await accounts(here) == ACCOUNTS


async def test_a_database_that_is_open_elsewhere_is_not_replaced(
    tmp_path: Path, sqlite_url: str
) -> None:
    here = Settings(data_dir=tmp_path, database_url=sqlite_url)
    await set_up(here)
    saved = await backup(here, tmp_path)
    async with Database.open(here.database) as database, database.session() as session:
        await session.get(Account, 1)
        with pytest.raises(DatabaseTrouble, match="open in another process"):
            await restore(here, saved.file, force=True)
    await restore(here, saved.file, force=True)


async def test_a_damaged_database_is_replaced_and_kept(tmp_path: Path, sqlite_url: str) -> None:
    here = Settings(data_dir=tmp_path, database_url=sqlite_url)
    await set_up(here)
    saved = await backup(here, tmp_path)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.write_bytes(b"no database at all" * 1000)
    file.with_name("lastword.db-wal").write_bytes(b"of another one")
    with pytest.raises(DatabaseTrouble, match="is not a SQLite database"):
        await backup(here, tmp_path / "again")
    done = await restore(here, saved.file, force=True)
    assert done.kept
    assert done.kept.read_bytes().startswith(b"no database")
    assert await accounts(here) == ACCOUNTS


async def test_tables_of_others_are_left_alone(tmp_path: Path, postgresql_url: str) -> None:
    here = Settings(data_dir=tmp_path, database_url=postgresql_url)
    await set_up(here)
    saved = await backup(here, tmp_path)
    async with Database.open(here.database) as database, database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE theirs (x int)"))
    with pytest.raises(DatabaseTrouble, match=r"\(theirs\): restore into an empty one"):
        await restore(here, saved.file, force=True)


async def test_without_postgresqls_programs_it_says_what_to_install(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Settings(data_dir=tmp_path, database_url=postgresql_url)
    await set_up(here)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.which", lambda *_, **__: None)
        with pytest.raises(DatabaseTrouble, match=r"pg_dump is not installed here: .*client"):
            await backup(here, tmp_path)


def test_the_commands(ready: Lastword, data: Path) -> None:
    saved = ready("backup", str(data))
    file = saved.out.strip()
    assert saved.code == 0
    assert Path(file).is_file()
    assert f"Keep a copy of {data}/key too" in saved.err
    assert_refused(ready("backup", file), "already", "--force")
    assert_refused(ready("restore", file), "already", "--force")
    assert "can be restored" in ready("restore", file, "--force", "--dry-run").err
    with not_up(data):
        assert_refused(ready("restore", file, "--force"), "`lastword up` is running")
    done = ready("restore", file, "--force")
    assert done.code == 0
    assert "kept as" in done.err
