"""A wrong password is tried once until it changes, over all runs and restarts, whatever is killed.

A scripted server counts each `<auth>`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretBytes, SecretStr

from lastword import accounts, runs
from lastword import attempt as attempting
from lastword.attempt import attempt
from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred, LoginRefused, Transient
from lastword.holder import service
from lastword.holder.notes import Notes
from lastword.holder.service import Holder
from lastword.holder.settings import HoldSettings
from lastword.lingering import Lingering
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.publishers import build_publishers
from lastword.record import quarantine
from lastword.runs import AccountRef, Which
from lastword.secrets import Keyring, KeyTrouble
from lastword.services import Services, open_services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from lastword.trials import Trials
from lastword.wiring import Wiring
from models import Account, Health, schema
from models.database import Database
from models.types import now
from tests.fixtures_xmpp import StartServer
from tests.xmpp_peer import DOMAIN, Peer, XMPPServer, failure, mechanisms

SAVED = {"jid": f"alice@{DOMAIN}/x", "id": "s1", "handled": 1, "sent": 1, "seconds": 3600}


class Killed(BaseException):
    """From here on nothing of the process is executed any more."""


class OnePost(Source):
    def __init__(self) -> None:
        """It asks nobody."""

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account
        return rules.choose([Post(id="1", text="Out for tea")])


async def _refuse(peer: Peer) -> None:
    await peer.encrypted(mechanisms("PLAIN"))
    await peer.expect("<auth[^>]*>[^<]*</auth>")
    peer.send(failure("not-authorized"))


async def _hang_up(peer: Peer) -> None:
    await peer.encrypted(mechanisms("PLAIN"))
    await peer.expect("<auth[^>]*>[^<]*</auth>")
    peer.reset()


class World:
    """One account with a password, and the server that judges it."""

    def __init__(self, database: Database, server: XMPPServer, tls: ssl.SSLContext) -> None:
        self.database = database
        self.server = server
        self.tls = tls
        self.keyring = Keyring(SecretBytes(bytes(32)))
        host, port = server.address
        self.settings = Settings(xmpp_servers={DOMAIN: f"{host}:{port}"}, xmpp_deadline=10)

    @property
    def auths(self) -> int:
        return sum(len(peer.auths()) for peer in self.server.peers)

    async def add(self, publisher: str = "login") -> None:
        wiring = Wiring("alice", "feed:https://blog.example/", f"alice@{DOMAIN}", publisher)
        await self.keyring.adopt(self.database)
        await accounts.add(self.database, wiring, password=SecretStr("wrong"), keyring=self.keyring)

    async def row(self) -> Account:
        return await accounts.find(self.database, "alice")

    async def change_password(self) -> None:
        password = SecretStr("another")
        await accounts.edit(self.database, "alice", {}, password=password, keyring=self.keyring)

    async def remember(self, memory: str) -> None:
        async with self.database.writing() as session:
            session.add(row := await session.get_one(Account, 1))
            row.session_memory = memory
            if memory == "saved":
                lingering = Lingering(self.keyring, timedelta(hours=1))
                lingering.remember(row, SAVED, now() + timedelta(hours=1))

    async def logged_in(self) -> None:
        """Log in and out."""
        means = self.settings, self.tls, self.keyring.open_password, self.keyring, self.database
        async with build_publishers(*means)["login"].session(await self.row()):
            pass

    async def run(self) -> Outcome:
        """Do one run's attempt, with all that a new process has anew."""
        means = self.settings, self.tls, self.keyring.open_password, self.keyring, self.database
        services = Services(
            settings=self.settings,
            database=self.database,
            http=cast("GuardedClient", None),
            sources={"feed": OnePost()},
            publishers=build_publishers(*means),
            until_the_end=AsyncExitStack(),
        )
        run_id = await runs.begin(self.database, Which.ALL, 1, None)
        outcome, _ = await attempt(AccountRef(1, "alice"), run_id, services, last=True)
        return outcome

    async def hold(self, until: "asyncio.Event | None" = None, seconds: float = 10) -> None:
        """Run the holder until it has been refused, or for some seconds; end it as kill -9 does."""
        own = HoldSettings(hold_health_port=0, hold_login_rate=100)
        holder = Holder(self.database, self.keyring, self.tls, self.settings, own)
        task = asyncio.create_task(holder.run(lambda _: None))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (until.wait() if until else asyncio.Event().wait())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def world(
    sqlite_url: str, xmpp_server: StartServer, tls: ssl.SSLContext
) -> AsyncIterator[World]:
    database = Database(sqlite_url)
    await schema.upgrade(database)
    yield World(database, await xmpp_server(_refuse), tls)
    await database.dispose()


@pytest.mark.parametrize("memory", [None, "saved", "2026-11-25T00:00:00+00:00 v1.dead.beef"])
async def test_over_any_number_of_runs(world: World, memory: str | None) -> None:
    await world.add()
    if memory:
        await world.remember(memory)
    for _ in range(4):
        assert isinstance((await world.run()).error, LoginRefused)
    assert world.auths == 1
    await accounts.resume(world.database, "alice")
    await world.run()
    assert world.auths == 1
    await world.change_password()
    for _ in range(2):
        await world.run()
    assert world.auths == 2


async def test_killed_before_the_refusal_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add()

    async def die(*_: object, **__: object) -> None:
        raise Killed

    for killed in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(attempting, "record", die)
            with pytest.raises(Killed):
                await world.run()
        assert world.auths == killed
        assert (await world.row()).health is Health.OK, "nothing was recorded"
    for _ in range(3):
        outcome = await world.run()
        assert isinstance(outcome.error, LoginRefused)
    assert "cut off 2 times" in ((await world.row()).last_reason or "")
    assert world.auths == 2
    assert (await world.row()).health is Health.NEEDS_OWNER
    await accounts.resume(world.database, "alice")
    await world.run()
    assert world.auths == 2
    await world.change_password()
    await world.run()
    assert world.auths == 3


async def test_a_password_that_does_not_open_costs_one_account_and_no_login(world: World) -> None:
    await world.add()
    async with world.database.writing() as session:
        row = await session.get_one(Account, 1)
        row.secret = f"{row.secret}"[:-8] + "AAAAAAA="
    outcome = await world.run()
    assert "the saved password does not open" in outcome.reason
    assert (await world.row()).health is Health.NEEDS_OWNER
    assert world.auths == 0


async def test_a_wrong_or_lost_key_stops_runs_and_blames_nobody(
    world: World, tmp_path: Path
) -> None:
    await world.add()
    settings = Settings(data_dir=tmp_path / "data", database_url=str(world.database.url))
    with pytest.raises(KeyTrouble, match="there is no key at"):
        async with open_services(settings):
            pass
    Keyring.create(settings.key_path)
    with pytest.raises(KeyTrouble, match="restore the right key"):
        async with open_services(settings):
            pass
    # Lost in the middle of a run, or taken away by a rotation elsewhere.
    world.keyring = Keyring(SecretBytes(bytes(31) + b"x"))
    assert isinstance((await world.run()).error, Deferred)
    assert (await world.row()).health is Health.OK
    assert world.auths == 0


async def test_no_answer_is_no_refusal(world: World) -> None:
    world.server._script = _hang_up
    await world.add()
    for _ in range(4):
        assert isinstance((await world.run()).error, Transient)
    assert world.auths == 4
    assert (await world.row()).trial is None


@pytest.mark.parametrize("publisher", ["login", "hold"])
async def test_cut_off_before_the_password_was_sent_counts_for_nothing(
    world: World, publisher: str
) -> None:
    asked = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.expect("<stream:stream")
        asked.set()

    world.server._script = silent
    await world.add(publisher)
    for _ in range(2):
        asked.clear()
        if publisher == "hold":
            await world.hold(asked)
            continue
        work = asyncio.create_task(world.logged_in())
        await asked.wait()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    assert (await world.row()).trial is None
    world.server._script = Peer.in_session
    await world.logged_in()
    assert world.auths == 1
    assert f"{(await world.row()).trial}".startswith("good ")


async def test_the_holder_over_restarts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add("hold")
    noted = asyncio.Event()

    async def noting(*given: Any) -> None:  # noqa: ANN401
        await quarantine(*given)
        noted.set()

    monkeypatch.setattr(service, "quarantine", noting)
    await world.hold(noted)
    for _ in range(2):
        await world.hold(seconds=0.5)
    assert world.auths == 1
    assert (await world.row()).health is Health.NEEDS_OWNER


async def test_the_holder_killed_before_it_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add("hold")
    for killed in (1, 2):
        refused = asyncio.Event()

        async def forget(*_: object, refused: asyncio.Event = refused) -> None:
            refused.set()

        with monkeypatch.context() as patch:
            patch.setattr(service, "quarantine", forget)
            patch.setattr(Notes, "write", forget)
            patch.setattr(Notes, "write_on", lambda _: asyncio.Event().wait())
            patch.setattr(Holder, "_quarantine", forget)
            await world.hold(refused)
        assert world.auths == killed
    for _ in range(2):
        await world.hold(seconds=0.7)
    assert world.auths == 2
    row = await world.row()
    assert (row.health, row.last_error) == (Health.NEEDS_OWNER, "LoginRefused")


async def test_a_password_that_was_accepted_is_not_noted_again(world: World) -> None:
    await world.add()
    trials = Trials(world.database)
    for _ in range(2):
        async with trials.login(await world.row()) as begin:
            await begin()
    good = (await world.row()).trial
    assert (good or "").startswith("good ")

    async def killed() -> None:
        async with trials.login(await world.row()) as begin:
            await begin()
            raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            await killed()
    assert (await world.row()).trial == good
