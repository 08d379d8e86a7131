"""Batches: one request for many who ask, and each its own answer, error and cancellation."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from lastword.errors import Transient
from lastword.sources.batches import Batches


class Server:
    """Knows the length of words, but for those that it has never heard."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.trouble: Exception | None = None

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(keys)
        await self.answering.wait()
        if self.trouble:
            raise self.trouble
        return {key: len(key) for key in keys if key != "unheard"}


async def test_each_group_is_fetched_once() -> None:
    server = Server()
    batches = Batches(server.fetch, 100)
    words = ["x" * number for number in range(1, 251)]
    batches.expect([*words, *words])
    found = await asyncio.gather(*(batches.load(word) for word in reversed(words)))
    assert found == list(reversed(range(1, 251)))
    assert sorted(map(len, server.asked)) == [50, 100, 100]
    assert await batches.load("xxx") == 3
    assert len(server.asked) == 3


async def test_a_group_that_nobody_asks_for_is_not_fetched() -> None:
    server = Server()
    batches = Batches(server.fetch, 2)
    batches.expect(["a", "bb", "ccc"])
    assert await batches.load("ccc") == 3
    assert server.asked == [("ccc",)]


async def test_unexpected_and_unknown() -> None:
    server = Server()
    batches = Batches(server.fetch, 2)
    batches.expect(["a", "unheard"])
    assert await batches.load("unheard") is None
    assert await batches.load("alone") == 5
    assert server.asked == [("a", "unheard"), ("alone",)]


async def test_failure_is_everybodys_and_the_next_who_asks_tries_again() -> None:
    server = Server()
    server.trouble = Transient("not now")
    batches = Batches(server.fetch, 10)
    batches.expect(["a", "bb"])
    first = await asyncio.gather(batches.load("a"), batches.load("bb"), return_exceptions=True)
    assert {type(error) for error in first} == {Transient}
    server.trouble = None
    found = await asyncio.gather(*(batches.load(key) for key in ("a", "bb")))
    assert found == [1, 2]
    assert len(server.asked) == 2


async def test_one_that_is_cancelled_leaves_the_others_alone() -> None:
    server = Server()
    server.answering.clear()
    batches = Batches(server.fetch, 10)
    batches.expect(["a", "bb"])
    one, other = (asyncio.ensure_future(batches.load(key)) for key in ("a", "bb"))
    await asyncio.sleep(0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    server.answering.set()
    assert await other == 2
    assert len(server.asked) == 1
