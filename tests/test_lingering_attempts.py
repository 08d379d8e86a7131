"""Lingering as attempts have it: kept in our database, renewed in time, left alone by a dry run."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretBytes, SecretStr

from demo.prosody import MODULES, Prosody
from lastword import accounts, runs
from lastword.attempt import attempt
from lastword.eligibility import Choice, Rules
from lastword.lingering import Lingering
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.publishers.base import Confirmation, Publisher
from lastword.publishers.login import Login
from lastword.runs import AccountRef, Which
from lastword.sealing import Seal
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account, OutcomeKind, schema
from models.database import Database
from tests.fixtures_xmpp import CONTACT, account, nothing_left, tls_for, witness
from tests.xmpp_peer import DOMAIN, PASSWORD

HOUR = 3600


class OnePost(Source):
    def __init__(self) -> None:
        self.text = "Out for tea"

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account
        return rules.choose([Post(id="1", text=self.text)])


class World:
    """A server, a database, and one account."""

    def __init__(self, prosody: Prosody, database: Database, linger: timedelta) -> None:
        self.prosody = prosody
        self.database = database
        self.source = OnePost()
        self.settings = Settings(linger=linger)
        self._ref = AccountRef(0, "")

    async def begin(self, name: str) -> None:
        row = account(name)
        async with self.database.session() as session, session.begin():
            session.add(row)
        assert row.id is not None
        self._ref = AccountRef(row.id, row.name)

    async def row(self) -> Account:
        async with self.database.session() as session:
            return await session.get_one(Account, self._ref.id)

    async def attempt(
        self, *, dry_run: bool = False, force: bool = False, **others: Publisher
    ) -> Outcome:
        """Attempt once, with all that a new process has anew."""
        host, port = self.prosody.address
        login = Login(
            tls=tls_for(self.prosody),
            open_secret=lambda _: SecretStr(PASSWORD),
            servers={DOMAIN: f"{host}:{port}"},
            deadline=20,
            answer_deadline=20,
            logins=1,
            lingering=Lingering(Seal(SecretBytes(bytes(32))), self.settings.linger),
        )
        services = Services(
            settings=self.settings,
            database=self.database,
            http=cast("GuardedClient", None),
            sources={"feed": self.source},
            publishers={"login": login, **others},
            until_the_end=AsyncExitStack(),
        )
        run_id = None if dry_run else await runs.begin(self.database, Which.DUE, 1, None)
        async with nothing_left():
            outcome, _ = await attempt(
                self._ref, run_id, services, last=True, dry_run=dry_run, force=force
            )
        return outcome


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    with Prosody(
        domain=DOMAIN,
        users=dict.fromkeys(["alice", "bob", CONTACT], PASSWORD),
        contacts={CONTACT: ["alice", "bob"]},
        modules=MODULES,
        settings=f"smacks_hibernation_time = {HOUR}",
    ) as running:
        yield running


async def world_at(prosody: Prosody, url: str, linger: timedelta, name: str = "alice") -> World:
    database = Database(url)
    await schema.upgrade(database)
    world = World(prosody, database, linger)
    await world.begin(name)
    return world


async def test_run_after_run(prosody: Prosody, sqlite_url: str) -> None:
    world = await world_at(prosody, sqlite_url, timedelta(seconds=HOUR))
    try:
        assert (await world.attempt()).kind is OutcomeKind.PUBLISHED
        first = (await world.row()).session_memory
        assert first
        renewed = await world.attempt()
        assert (renewed.kind, renewed.reason) == (
            OutcomeKind.UNCHANGED,
            "the server has it already",
        )
        second = (await world.row()).session_memory
        assert second != first, "an hour, less a moment, does not last for an hour more"

        dry = await world.attempt(dry_run=True, force=True)
        assert dry.kind is OutcomeKind.SKIPPED
        assert (await world.row()).session_memory == second
        async with witness(prosody) as contact:
            seen = await contact.until("alice", lambda seen: seen.status == "Out for tea")
            world.source.text = "Back again"
            assert (await world.attempt()).kind is OutcomeKind.PUBLISHED
            again = await contact.until("alice", lambda seen: seen.status == "Back again")
            assert again.resource == seen.resource
    finally:
        await world.database.dispose()


class Elsewhere(Publisher):
    """A publisher whose status is in another place."""

    async def current(self) -> None:
        return None

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        del status, post
        return Confirmation("elsewhere")

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator["Elsewhere"]:
        del account
        yield self

    async def close(self) -> None:
        pass


async def test_another_publisher_ends_what_lingers(prosody: Prosody, sqlite_url: str) -> None:
    world = await world_at(prosody, sqlite_url, timedelta(seconds=HOUR), "bob")
    try:
        await world.attempt()
        await accounts.edit(world.database, "bob", {"publisher": "operator"})
        async with witness(prosody) as contact:
            await contact.until("bob", lambda seen: seen.status == "Out for tea")
            outcome = await world.attempt(operator=Elsewhere())
            assert (outcome.kind, outcome.carrier) == (OutcomeKind.PUBLISHED, "elsewhere")
            await contact.until("bob", lambda seen: seen.show == "unavailable")
        assert (await world.row()).session_memory is None
    finally:
        await world.database.dispose()


async def test_what_lasts_longer_is_left_alone(prosody: Prosody, sqlite_url: str) -> None:
    world = await world_at(prosody, sqlite_url, timedelta(minutes=40))
    try:
        await world.attempt()
        first = (await world.row()).session_memory
        outcome = await world.attempt()
        assert (outcome.kind, outcome.reason) == (OutcomeKind.UNCHANGED, "nothing new")
        assert (await world.row()).session_memory == first
    finally:
        await world.database.dispose()
