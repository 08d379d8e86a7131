"""The pace of logins on one server: no storm, and one for all while it is down."""

import asyncio

import pytest

from lastword.errors import LoginRefused, Transient
from lastword.holder import pace as pacing
from lastword.holder.pace import Pace, backoff


class Server:
    """Counts logins, and refuses connections while it is down."""

    def __init__(self) -> None:
        self.is_down = False
        self.tries = 0
        self.under_way = 0
        self.most = 0

    async def log_in(self) -> None:
        self.tries += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        if self.is_down:
            raise Transient("it is down")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(pacing, "_FIRST", 0.001)
    monkeypatch.setattr(pacing, "_LONGEST", 0.01)
    return Server()


async def _keep_trying(pace: Pace, server: Server) -> None:
    while True:
        try:
            return await pace.log_in(server.log_in)
        except Transient:
            await asyncio.sleep(0)


async def test_only_so_many_at_once(server: Server) -> None:
    pace = Pace(rate=10_000, at_once=3)
    await asyncio.gather(*(pace.log_in(server.log_in) for _ in range(20)))
    assert server.tries == 20
    assert server.most <= 3


async def test_one_tries_for_all_while_the_server_is_down(server: Server) -> None:
    pace = Pace(rate=10_000, at_once=10)
    server.is_down = True
    everyone = [asyncio.create_task(_keep_trying(pace, server)) for _ in range(100)]
    while server.tries < 20:
        await asyncio.sleep(0.001)
    before, server.most = server.tries, 0
    while server.tries < before + 3:
        await asyncio.sleep(0.001)
    assert server.most == 1
    assert server.tries < 30, "a hundred that wait are not a hundred that try"
    server.is_down = False
    await asyncio.gather(*everyone)
    assert server.tries < 140


async def test_a_refusal_is_an_answer_like_any_other(server: Server) -> None:
    pace = Pace(rate=10_000, at_once=10)

    async def refused() -> None:
        raise LoginRefused("no")

    server.is_down = True
    with pytest.raises(Transient):
        await pace.log_in(server.log_in)
    server.is_down = False
    with pytest.raises(LoginRefused):
        await pace.log_in(refused)
    await asyncio.gather(*(pace.log_in(server.log_in) for _ in range(5)))
    assert server.most > 1


def test_backoff_grows_to_a_limit_and_never_agrees() -> None:
    waits = [backoff(failures, 10) for failures in range(40)]
    assert all(0 < wait <= 10 for wait in waits)
    assert max(waits[:2]) < min(waits[6:])
    assert len(set(waits)) == len(waits)
