"""Asking for many accounts in one request, while each account's task stays independent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batches(Generic[K, V]):
    """Fetches keys in groups that are known beforehand; lives on one event loop.

    Args:
        fetch: returns what was found of a group's keys; called once per group, and again only
            where it failed before. It raises errors of the tree.
        size: keys in a group at most.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._groups: dict[K, tuple[K, ...]] = {}
        self._tasks: dict[tuple[K, ...], asyncio.Task[Mapping[K, V]]] = {}

    def expect(self, keys: Iterable[K]) -> None:
        """Learn which keys will be asked for; a key that was not expected is fetched alone."""
        rest = iter(dict.fromkeys(keys))
        while group := tuple(islice(rest, self._size)):
            self._groups |= dict.fromkeys(group, group)

    async def load(self, key: K) -> V | None:
        """Return what was found of a key, or None; the first who asks has its group fetched.

        Raises:
            LastWordError: the group's fetch failed; who asks after that has it fetched anew.
        """
        group = self._groups.get(key, (key,))
        task = self._tasks.get(group)
        if task is None:
            task = self._tasks[group] = asyncio.ensure_future(self._fetched(group))
            task.add_done_callback(lambda ended: self._forget_failed(group, ended))
        # One account's task that is cancelled takes nothing away from the others.
        return (await asyncio.shield(task)).get(key)

    async def _fetched(self, group: tuple[K, ...]) -> Mapping[K, V]:
        return await self._fetch(group)

    def _forget_failed(self, group: tuple[K, ...], ended: "asyncio.Task[Mapping[K, V]]") -> None:
        with suppress(asyncio.CancelledError):
            if ended.exception() is None:
                return
        self._tasks.pop(group, None)
