"""A lease: one process at a time, each in its turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lastword import lease
from lastword.lease import Lease
from models.lock import Locked


class Place:
    """What only one may have, and who had it."""

    def __init__(self) -> None:
        self.held_by: str | None = None
        self.turns: list[str] = []

    def lease(self, name: str) -> Lease:
        async def let_go() -> None:
            assert self.held_by == name
            await asyncio.sleep(0)

        @asynccontextmanager
        async def lock() -> AsyncIterator[None]:
            if self.held_by:
                raise Locked
            self.held_by = name
            self.turns.append(name)
            yield
            self.held_by = None

        return Lease(lock, let_go)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LONGEST", 0.05)
    monkeypatch.setattr(lease, "IDLE", 0.01)
    monkeypatch.setattr(lease, "_AGAIN", 0.005)


async def test_tasks_of_one_process_share_a_turn() -> None:
    place = Place()
    ours = place.lease("a")
    together = asyncio.Barrier(3)

    async def work() -> None:
        async with ours.turn():
            assert place.held_by == "a"
            await together.wait()

    async with asyncio.timeout(10):
        await asyncio.gather(*(work() for _ in range(3)))
    assert place.turns == ["a"]
    async with asyncio.timeout(10):
        while place.held_by:  # let go of when nobody needs it any more
            await asyncio.sleep(0.001)
    await ours.close()


async def test_busy_processes_take_turns() -> None:
    place = Place()
    one, other = place.lease("a"), place.lease("b")

    async def work(ours: Lease, name: str) -> None:
        for _ in range(40):
            async with ours.turn():
                assert place.held_by == name
                await asyncio.sleep(0.01)

    async with asyncio.timeout(30):
        await asyncio.gather(*(work(one, "a") for _ in range(3)), *(work(other, "b") for _ in "12"))
    assert min(place.turns.count(name) for name in "ab") > 1
    await one.close()
    await other.close()
    assert place.held_by is None


async def test_closing_lets_go_at_once() -> None:
    place = Place()
    ours = place.lease("a")
    async with ours.turn():
        pass
    await ours.close()
    assert place.held_by is None
