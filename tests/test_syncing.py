"""Thousands of accounts are mapped slice by slice: each once, and few of them wait."""

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast

import pytest
from prefect import Task

from flows import syncing
from lastword.runs import AccountRef


class _Future:
    def __init__(self, started: "SimpleQueue[Callable[[], None]]") -> None:
        self._started = started

    def add_done_callback(self, done: Callable[["_Future"], None]) -> None:
        self._started.put(lambda: done(self))


class _Mapped:
    """Stands for a task whose runs end one after another, in a thread of their own."""

    def __init__(self) -> None:
        self.slices: list[list[AccountRef]] = []
        self.most = self._ended = 0
        self._started = SimpleQueue[Callable[[], None]]()
        Thread(target=self._end_all, daemon=True).start()

    def map(self, some: Sequence[AccountRef], run_id: int, **how: object) -> list[_Future]:
        assert (run_id, how) == (7, {"force": True})
        self.slices.append(list(some))
        self.most = max(self.most, sum(map(len, self.slices)) - self._ended)
        return [_Future(self._started) for _ in some]

    def _end_all(self) -> None:
        while True:
            end = self._started.get()
            self._ended += 1
            end()


@pytest.mark.parametrize("number", [0, 1, 4, 5, 23])
def test_each_once_and_few_wait(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "SLICE", 4)
    each, task = [AccountRef(key, f"a{key}") for key in range(number)], _Mapped()
    mapped = syncing._mapped(cast("Task[..., Any]", task), each, 7, {"force": True})
    assert [work for work, _ in mapped] == each
    assert [ref for some in task.slices for ref in some] == each
    assert task.most <= 6
