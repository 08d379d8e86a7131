"""What tests of the holder ask for: a database, accounts by hold, and the service itself."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pydantic import SecretBytes, SecretStr

from demo.prosody import Prosody
from lastword import accounts, runs
from lastword.attempt import attempt
from lastword.eligibility import Choice, Rules
from lastword.holder.service import Holder
from lastword.holder.settings import HoldSettings
from lastword.post import Post
from lastword.publishers.base import Mixed
from lastword.publishers.hold import Hold
from lastword.runs import AccountRef
from lastword.secrets import Keyring
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from lastword.wiring import Wiring
from models import Account, schema
from models.database import Database
from tests.fixtures_xmpp import tls_for
from tests.xmpp_peer import DOMAIN, PASSWORD


class OnePost(Source):
    """A source with one post."""

    def __init__(self, text: str) -> None:
        self._text = text

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account
        return rules.choose([Post(id=self._text, text=self._text)])


@dataclass
class Holding:
    """One installation whose holder can be started and ended.

    Attributes:
        address: where it takes the chat server to be.
        answer_deadline: of the settings.
    """

    database: Database
    prosody: Prosody
    keyring: Keyring = field(default_factory=lambda: Keyring(SecretBytes(os.urandom(32))))
    address: tuple[str, int] = ("", 0)
    answer_deadline: float = 10

    def __post_init__(self) -> None:
        self.address = self.prosody.address

    @property
    def settings(self) -> Settings:
        host, port = self.address
        return Settings(
            xmpp_servers={DOMAIN: f"{host}:{port}"},
            xmpp_deadline=5,
            xmpp_answer_deadline=self.answer_deadline,
        )

    async def add(self, name: str, password: str = PASSWORD) -> Account:
        wiring = Wiring(name, "feed:https://blog.example/", f"{name}@{DOMAIN}", "hold")
        return await accounts.add(
            self.database, wiring, password=SecretStr(password), keyring=self.keyring
        )

    async def set_password(self, name: str, password: str) -> Account:
        return await accounts.edit(
            self.database, name, {}, password=SecretStr(password), keyring=self.keyring
        )

    def holder(self, **own: Any) -> Holder:  # noqa: ANN401 (settings of the holder)
        settings = HoldSettings(**{"hold_health_port": 0, "hold_login_rate": 100, **own})
        tls = tls_for(self.prosody)
        return Holder(self.database, self.keyring, tls, self.settings, settings)

    @asynccontextmanager
    async def running(self, **own: Any) -> AsyncIterator[tuple[Holder, int]]:  # noqa: ANN401
        """Run the service for the length of the block, and end it as a signal does."""
        holder = self.holder(**own)
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(holder.run(started.set_result))
        both: list[asyncio.Future[Any]] = [task, started]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        try:
            yield holder, started.result()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def publisher(self, deadline: float = 20) -> AsyncIterator[Hold]:
        hold = Hold(self.database, deadline=deadline)
        try:
            yield hold
        finally:
            await hold.close()

    async def publish(self, account: Account, status: str | None, deadline: float = 20) -> str:
        """Do what a run does; return the carrier."""
        async with self.publisher(deadline) as hold, hold.session(account) as session:
            await session.current()
            carrier = (await session.set(status)).carrier
        account.published_status = status
        return carrier

    async def run(self, name: str, text: str) -> Account:
        """Do a whole run for one account, whose newest post is this; return the account after."""
        account = await accounts.find(self.database, name)
        run_id = await runs.begin(self.database, runs.Which.ALL, 1, None)
        async with self.publisher() as hold:
            services = Services(
                settings=self.settings,
                database=self.database,
                http=cast("GuardedClient", None),
                sources={"feed": OnePost(text)},
                publishers={"hold": hold},
                until_the_end=AsyncExitStack(),
            )
            await attempt(AccountRef(account.id or 0, name), run_id, services, last=True)
        return await accounts.find(self.database, name)

    async def current(self, account: Account) -> str | Mixed | None:
        async with self.publisher() as hold, hold.session(account) as session:
            return await session.current()


@asynccontextmanager
async def holding_on(database: Database, prosody: Prosody) -> AsyncIterator[Holding]:
    await schema.upgrade(database)
    holding = Holding(database, prosody)
    await holding.keyring.adopt(database)
    yield holding


@pytest.fixture
async def holding(sqlite_url: str, prosody: Prosody) -> AsyncIterator[Holding]:
    """An installation on SQLite."""
    database = Database(sqlite_url)
    async with holding_on(database, prosody) as found:
        yield found
    await database.dispose()
