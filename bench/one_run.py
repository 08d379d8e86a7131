"""One run as the flow makes it, but without Prefect and with a chat server that is a dictionary."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from sqlmodel import select

from bench.sides import bare_loop
from flows.syncing import WINDOW
from lastword import runs
from lastword.post import Post
from lastword.publishers.base import Confirmation, Publisher
from lastword.runs import AccountRef, Which
from lastword.services import Services, tls_context
from lastword.settings import Settings
from lastword.sources import build_sources
from lastword.sources.http import GuardedClient
from models import Account, schema
from models.database import Database
from tasks.options import RETRIES


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended.

    Attributes:
        seconds: how long it took.
        outcomes: accounts by outcome.
        of: by account, the outcome.
    """

    seconds: float
    outcomes: Mapping[str, int]
    of: Mapping[str, str]


class Shelf(Publisher):
    """A publisher that takes everything at once: the sources are what is measured."""

    def __init__(self) -> None:
        self._shown: dict[str, str | None] = {}

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["_Place"]:
        yield _Place(self._shown, account.jid)

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Place:
    shown: dict[str, str | None]
    jid: str

    async def current(self) -> str | None:
        return self.shown.get(self.jid)

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del post
        self.shown[self.jid] = status
        return Confirmation("shelf")


async def one_run(settings: Settings, sources: Mapping[str, str]) -> Ran:
    """Make a new database, add the accounts, run once over them.

    Args:
        settings: the database's place among them.
        sources: source addresses by the accounts' names.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database, check=False))
        await schema.upgrade(database)
        async with database.writing() as session:
            for name, source in sources.items():
                session.add(Account(name=name, source=source, jid=f"{name}@chat.example"))
        http = await stack.enter_async_context(GuardedClient(settings, tls_context(settings)))
        services = Services(
            settings=settings,
            database=database,
            http=http,
            sources=build_sources(http),
            publishers={"login": Shelf()},
            until_the_end=stack,
        )
        began = monotonic()
        await _run(services)
        seconds = monotonic() - began
        async with database.session() as session:
            rows = await session.exec(select(Account.name, Account.last_outcome))
            of = {name: str(outcome or "none") for name, outcome in rows}
    return Ran(seconds, dict(Counter(of.values())), of)


async def _run(services: Services) -> None:
    refs = await runs.choose(services.database, Which.DUE)
    await runs.expect(services.database, services.sources, refs)
    run_id = await runs.begin(services.database, Which.DUE, len(refs), None)
    await sync_all(refs, run_id, services)


async def sync_all(refs: Sequence[AccountRef], run_id: int, services: Services) -> None:
    """Try each account as often as its Prefect task would, within the flow's window."""
    await bare_loop.sync_all(refs, run_id, services, window=WINDOW, retries=RETRIES)
