"""What many tasks ask for at once, done together: queries and transactions cost more than rows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from enum import Enum, auto
from typing import Final, Generic, TypeVar

from models.errors import DatabaseTrouble

I = TypeVar("I")  # noqa: E741 (of items)
O = TypeVar("O")  # noqa: E741 (of outcomes)


class Alone(Enum):
    """What `together` says of an item that it leaves out."""

    ALONE = auto()


ALONE: Final = Alone.ALONE


class Gathering(Generic[I, O]):
    """Does items as soon as may be: those that come while others are under way go together next.

    So nobody waits for company, and the more there is to do, the larger the companies become.
    Lives on one event loop.

    Args:
        together: returns what came of each item, in their order, or `ALONE`. Where it fails, other
            than by trouble with the database itself, nothing must have come of any.
        alone: does what was left out, and each item of a company that failed, so that one does no
            harm to others. It may have to do again what `together` undid.
        most: items at once.
    """

    def __init__(
        self,
        together: Callable[[Sequence[I]], Awaitable[Sequence[O | Alone]]],
        alone: Callable[[I], Awaitable[O]],
        most: int,
    ) -> None:
        self._together = together
        self._alone = alone
        self._most = most
        self._waiting: list[tuple[I, asyncio.Future[O | Alone]]] = []
        self._work: asyncio.Task[None] | None = None

    async def do(self, item: I) -> O:
        """Return what came of an item, once it is done.

        Who is cancelled before it has begun wants nothing done any more; once it has begun, it is
        done, for others go with it.

        Raises:
            DatabaseTrouble: the database failed, for all who went together.
            Exception: what `alone` raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[O | Alone] = loop.create_future()
        self._waiting.append((item, done))
        if self._work is None:
            # In no one's context: the work is that of all who come.
            self._work = loop.create_task(self._work_off(), context=Context())
        outcome = await done
        return await self._alone(item) if outcome is ALONE else outcome

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        if self._work:
            await asyncio.wait([self._work])

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                if group := [it for it in group if not it[1].done()]:
                    await self._do(group)
        finally:
            self._work = None
            for _, done in self._waiting:  # of a loop that ends
                done.cancel()
            self._waiting.clear()

    async def _do(self, group: Sequence[tuple[I, "asyncio.Future[O | Alone]"]]) -> None:
        outcomes: Sequence[O | Alone]
        try:
            outcomes = await self._together([item for item, _ in group])
        except DatabaseTrouble as trouble:
            for _, done in group:
                if not done.done():
                    done.set_exception(trouble)
            return
        except Exception:  # noqa: BLE001 (whoever is at fault meets it again, alone)
            outcomes = [ALONE] * len(group)
        except BaseException:
            for _, done in group:
                done.cancel()
            raise
        for (_, done), outcome in zip(group, outcomes, strict=True):
            if not done.done():
                done.set_result(outcome)
