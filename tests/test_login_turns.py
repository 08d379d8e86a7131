"""Turns to log in: a server may have all of them, but not at the expense of the others."""

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from lastword.errors import Transient
from lastword.publishers import login_turns
from lastword.publishers.login import Login
from lastword.publishers.login_turns import LoginTurns
from models import Account
from tests.fixtures_xmpp import StartServer
from tests.xmpp_peer import PASSWORD, Peer

ONE, OTHER, THIRD = "one.example", "other.example", "third.example"


class Logins:
    """Logins that stay under way until they are told to end."""

    def __init__(self, turns: LoginTurns) -> None:
        self._turns = turns
        self.tasks: defaultdict[str, list[asyncio.Task[None]]] = defaultdict(list)
        self.under_way: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    async def begin(self, domain: str, times: int) -> None:
        self.tasks[domain] += [asyncio.create_task(self._log_in(domain)) for _ in range(times)]
        await settled()

    async def _log_in(self, domain: str) -> None:
        async with self._turns.at(domain):
            end = asyncio.Event()
            self.under_way[domain].append(end)
            try:
                await end.wait()
            finally:
                self.under_way[domain].remove(end)

    async def end(self, domain: str, times: int = 1) -> None:
        for event in self.under_way[domain][:times]:
            event.set()
        await settled()

    def count(self, *domains: str) -> list[int]:
        return [len(self.under_way[domain]) for domain in domains]


async def settled() -> None:
    """Let every task go on until it waits for something that only the test can do."""
    for _ in range(50):
        await asyncio.sleep(0)


@asynccontextmanager
async def logins(most: int) -> AsyncIterator[Logins]:
    many = Logins(LoginTurns(most))
    yield many
    for tasks in many.tasks.values():
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No login is quick enough."""
    monkeypatch.setattr(login_turns, "PROMPT", 0)


async def test_a_server_that_answers_promptly_has_all_places() -> None:
    async with logins(50) as many:
        await many.begin(ONE, 200)
        assert many.count(ONE) == [44], "nothing is known of it yet"
        await many.end(ONE)
        assert many.count(ONE) == [50]
        await many.end(ONE, 50)
        assert many.count(ONE) == [50]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(("most", "of_one"), [(50, 44), (12, 11), (3, 2), (1, 1)])
async def test_a_server_that_does_not_leaves_some_to_the_others(most: int, of_one: int) -> None:
    async with logins(most) as many:
        await many.begin(ONE, 200)
        await many.end(ONE, of_one)
        assert many.count(ONE) == [of_one]
        await many.begin(OTHER, 200)
        assert many.count(ONE, OTHER) == [of_one, most - of_one]


@pytest.mark.usefixtures("slow")
async def test_small_servers_have_all_places_together() -> None:
    async with logins(50) as many:
        for number in range(60):
            await many.begin(f"{number}.example", 1)
        assert sum(map(len, many.under_way.values())) == 50


async def test_the_next_place_is_of_the_server_that_has_fewest() -> None:
    async with logins(6) as many:
        await many.begin(ONE, 1)
        await many.end(ONE)
        await many.begin(ONE, 100)
        assert many.count(ONE) == [6]
        await many.begin(OTHER, 100)
        await many.begin(THIRD, 1)
        await many.end(ONE, 3)
        assert many.count(ONE, OTHER, THIRD) == [3, 2, 1]
        await many.end(THIRD)
        assert many.count(ONE, OTHER, THIRD) == [3, 3, 0]
        await many.end(OTHER, 3)
        assert many.count(ONE, OTHER, THIRD) == [3, 3, 0]


async def test_servers_with_as_many_take_turns() -> None:
    async with logins(1) as many:
        for domain in (ONE, OTHER):
            await many.begin(domain, 3)
        seen = []
        for _ in range(6):
            seen += [domain for domain in (ONE, OTHER) if many.under_way[domain]]
            await many.end(seen[-1])
        assert seen == [ONE, ONE, OTHER, ONE, OTHER, OTHER]


async def test_who_is_cancelled_takes_nobodys_place() -> None:
    async with logins(1) as many:
        await many.begin(ONE, 4)
        many.tasks[ONE][1].cancel()  # while it waits
        many.under_way[ONE][0].set()
        await asyncio.sleep(0)
        many.tasks[ONE][2].cancel()  # at the moment that its turn has come
        await settled()
        assert [task.done() for task in many.tasks[ONE]] == [True, True, True, False]
        assert many.count(ONE) == [1]


async def test_a_slow_server_stops_nobody_elses_login(
    xmpp_server: StartServer, tls: ssl.SSLContext
) -> None:
    asked = asyncio.Semaphore(0)

    async def silent(peer: Peer) -> None:
        asked.release()
        await peer.expect("nothing that ever comes")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    host, port = (await xmpp_server(silent)).address
    login = Login(
        tls=tls,
        open_secret=lambda _: SecretStr(PASSWORD),
        servers={ONE: f"{host}:{port}", OTHER: f"127.0.0.1:{closed}"},
        deadline=60,
        answer_deadline=60,
        logins=8,
    )

    async def log_in(domain: str) -> None:
        async with login.session(Account(name="a", source="feed:x", jid=f"a@{domain}")):
            pass

    slow = [asyncio.create_task(log_in(ONE)) for _ in range(8)]
    async with asyncio.timeout(30):
        for _ in range(7):
            await asked.acquire()
        with pytest.raises(Transient, match=f"{OTHER} refuses connections"):
            await log_in(OTHER)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
