"""Where Prefect cannot record a task run for each account, they share some, and it is said."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast
from unittest.mock import patch
from uuid import UUID

import pytest
from httpx import ReadTimeout
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed
from sqlmodel import select

from bench.broker import CEILING
from bench.one_run import Shelf
from demo.prefect_api import PrefectAPI
from flows.granularity import BATCH, IN_MEMORY, ONE_EACH, granularity, keeps_messages_in_memory
from flows.run_here import Ended, run_here
from lastword.eligibility import Choice, Rules
from lastword.errors import LastWordError, LoginRefused, Transient
from lastword.post import Post
from lastword.runs import AccountRef
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account, LedgerEntry, OutcomeKind, Run, schema
from models.database import Database
from models.types import now
from tasks.options import RETRIES
from tasks.sync_batch import batches
from tasks.tell_operators import _drift, _drift_if_told

pytestmark = pytest.mark.xdist_group("prefect")

CROWD = 12


class Scripted(Source):
    """Of its accounts one is down twice, one for ever, and one is refused."""

    def __init__(self) -> None:
        self.looks: Counter[str] = Counter()

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        self.looks[account.name] += 1
        errors: dict[str, LastWordError] = {
            "a1": Transient("down for ever"),
            "a2": LoginRefused("no"),
        }
        if account.name == "a0" and self.looks["a0"] < 3:
            raise Transient("down twice")
        if error := errors.get(account.name):
            raise error
        return rules.choose([Post(id="1", text="A post", time=now())])


@pytest.fixture
async def database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None
) -> AsyncIterator[Database]:
    """Our own, with a crowd in it."""
    del prefect_server
    monkeypatch.setenv("LASTWORD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LASTWORD_RETRY_SECONDS", "0")
    monkeypatch.setenv("LASTWORD_TASK_RUNS", "1")
    async with Database.open(Settings().database, check=False) as database:
        await schema.upgrade(database)
        async with database.writing() as session:
            for number in range(CROWD):
                name, source = f"a{number}", f"feed:https://social.example/{number}"
                session.add(Account(name=name, source=source, jid=f"{name}@chat.example"))
        yield database


@pytest.fixture
def source() -> Iterator[Scripted]:
    """The only source of the runs of a test."""
    source, shelf = Scripted(), Shelf()

    @asynccontextmanager
    async def services(settings: Settings) -> AsyncIterator[Services]:
        async with Database.open(settings.database) as database, AsyncExitStack() as stack:
            yield Services(
                settings=settings,
                database=database,
                http=cast("GuardedClient", None),
                sources={"feed": source},
                publishers={"login": shelf},
                until_the_end=stack,
            )

    with patch("flows.lifespan.open_services", services):
        yield source


async def run(*, dry_run: bool = False) -> Ended:
    what = partial(run_here, "all", None, force=False, listener=lambda *_: None)
    return await asyncio.to_thread(what, dry_run=dry_run)


def counts(**of: int) -> dict[str, int]:
    return of


def test_how_many_share_a_task_run() -> None:
    with patch("flows.granularity.keeps_messages_in_memory", return_value=True):
        assert granularity(IN_MEMORY, None) == ONE_EACH
        assert granularity(IN_MEMORY + 1, None).accounts == BATCH
        assert granularity(1_000_000, None).accounts == 715
        said = granularity(12_000, 100_000).why or ""
    assert "12,000 accounts are more than the 1,400 task runs" in said
    assert "100 accounts share" in said
    assert "--profile cluster" in said
    assert CEILING == IN_MEMORY, "what is measured is what is kept to"
    # Running, Completed; for each retry AwaitingRetry and Retrying.
    assert IN_MEMORY * (2 + 2 * RETRIES) <= 10_000


def test_the_operator_may_want_fewer_task_runs_than_there_could_be() -> None:
    with patch("flows.granularity.keeps_messages_in_memory", return_value=False):
        assert granularity(1_000_000, None) == ONE_EACH
        assert granularity(1_000_000, 1_000_000) == ONE_EACH
        assert granularity(1_000_000, 5_000).accounts == 200
        assert granularity(5_001, 5_000).accounts == BATCH
        said = granularity(1_000_000, 5_000).why or ""
    assert said.startswith("LASTWORD_TASK_RUNS allows a run 5,000 task runs for its 1,000,000")


def test_the_server_is_asked(prefect_server: None) -> None:
    del prefect_server
    assert keeps_messages_in_memory()
    with patch("flows.granularity._MEMORY", "another"):
        assert not keeps_messages_in_memory()
    # Who does not say is taken for small.
    for url in (f"{PREFECT_API_URL.value()}/nowhere", "http://127.0.0.1:1/api"):
        with (
            patch("flows.granularity._MEMORY", "another"),
            temporary_settings({PREFECT_API_URL: url}),
        ):
            assert keeps_messages_in_memory()


def test_batches_are_in_order_and_of_one_size() -> None:
    refs = [AccountRef(number, f"a{number}") for number in range(250)]
    made = batches(refs, 100)
    assert [(one.first, one.last, one.of) for one in made] == [
        (1, 100, 250),
        (101, 200, 250),
        (201, 250, 250),
    ]
    assert [ref for one in made for ref in one.accounts] == refs
    assert batches([], 100) == []


async def test_a_run_in_batches(database: Database, source: Scripted) -> None:
    ended = await run()
    assert ended.state == "Degraded", ended.message
    assert ended.message == f"{CROWD - 2} Published, 2 Failed"
    assert ended.seen == counts(Published=CROWD - 2, Failed=2)
    # Tried again is only what may be better then.
    assert source.looks == {f"a{n}": {0: 3, 1: 3}.get(n, 1) for n in range(CROWD)}
    async with database.session() as session:
        ledger = (await session.exec(select(LedgerEntry.account_id, LedgerEntry.kind))).all()
        run_row = (await session.exec(select(Run))).one()
    assert len(ledger) == len(dict(ledger)) == CROWD
    assert Counter(kind for _, kind in ledger) == {
        OutcomeKind.PUBLISHED: CROWD - 2,
        OutcomeKind.FAILED: 2,
    }
    async with PrefectAPI(str(PREFECT_API_URL.value())) as api:
        recorded = await api.recorded(str(ended.flow_run_id), 3, deadline=60)
        summary = (await api.artifacts(str(ended.flow_run_id)))["sync-summary"]
    name = f"sync accounts 1 to {CROWD} of {CROWD}"
    assert recorded.keys() == {"choose accounts", "report the run", name}
    assert recorded[name].name == "Degraded"
    assert recorded[name].message == f"{CROWD - 2} Published, 2 Failed"
    assert f"allows a run 1 task runs for its {CROWD} accounts: 100 accounts share" in summary
    assert "differ" not in summary

    # In the run after, the missing task runs are no loss.
    run_row.ended_at = now() - timedelta(minutes=30)
    assert await _drift(run_row) is None
    run_row.due = 1
    assert await _drift(run_row) == ""
    async with get_client() as client:
        lost = await client.create_flow_run(flow(sync_nobody), state=Completed())
    run_row = run_row.model_copy(update={"flow_run_id": str(lost.id), "due": CROWD})
    assert await _drift(run_row) == (
        f"of the {CROWD} accounts of the run before, Prefect has recorded 0"
    )
    # Another server's, as of `lastword run` while no `lastword up` was there.
    elsewhere = run_row.model_copy(update={"flow_run_id": str(UUID(int=1))})
    assert await _drift(elsewhere) is None
    assert await with_a_busy_server(run_row) is None


@flow
async def with_a_busy_server(run: Run) -> str | None:
    """What is not told is not compared: operators hear of all other causes without it."""
    with patch("tasks.tell_operators.flow_runs_of", side_effect=ReadTimeout("busy")):
        return await _drift_if_told(run)


def sync_nobody() -> None:
    pass


async def test_a_dry_run_in_batches(database: Database, source: Scripted) -> None:
    del source
    ended = await run(dry_run=True)
    assert ended.seen == counts(Skipped=CROWD - 2, Failed=2)
    async with database.session() as session:
        assert not (await session.exec(select(Run))).all()
