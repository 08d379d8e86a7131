"""A keeper's patience: how long it waits after each way in which a session can fail."""

import asyncio
from contextlib import nullcontext
from typing import cast

import pytest

from lastword.errors import Deferred, Gone, LoginRefused, Rejected, Transient
from lastword.holder.keeper import DAY, LONGEST, Keeper
from lastword.holder.notes import Notes
from lastword.holder.pace import Pace
from lastword.holder.wishes import Wish
from lastword.publishers.held_session import HeldSession
from models.database import Database
from models.types import now


class Session:
    """A session that ends in the ways it is told to."""

    def __init__(self, *endings: Exception) -> None:
        self.endings = list(endings)
        self.opened = 0
        self.unconfirmed = 0

    async def open(self, begin: object = None) -> bool:
        del begin
        self.opened += 1
        if self.endings:
            raise self.endings.pop(0)
        return False

    async def show(self, status: str | None) -> None:
        del status
        if self.unconfirmed:
            self.unconfirmed -= 1
            raise Transient("no answer")

    def news(self) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()


class Kept:
    """A keeper that does not really wait, and what it noted and asked for."""

    def __init__(self, session: Session, *, is_refused: bool = False) -> None:
        self.session = session
        self.waits: list[float] = []
        self.refusals: list[Rejected] = []
        self.notes = Notes(cast("Database", None))
        self.wish = Wish(1, "alice", "alice@chat.example", "s", now(), None, 0, 0, is_refused)
        self.keeper = Keeper(
            self.wish,
            cast("HeldSession", session),
            pace=Pace(10_000, 10),
            notes=self.notes,
            refused=self._refused,
            trial=lambda _: nullcontext(),
            ping_seconds=60,
        )
        self.keeper._pause = self._pause  # type: ignore[method-assign]

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def _refused(self, wish: Wish, error: Rejected) -> None:
        del wish
        self.refusals.append(error)

    async def run(self, seconds: float = 0.2) -> None:
        """Keep for a moment."""
        try:
            async with asyncio.timeout(seconds):
                await self.keeper.keep()
        except TimeoutError:
            return


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lastword.holder.pace._LONGEST", 0.001)


async def test_patience_grows_where_a_server_lets_us_down() -> None:
    kept = Kept(Session(*[Transient("lost") for _ in range(9)], Deferred("certificate")))
    await kept.run()
    assert kept.keeper.is_up
    assert len(kept.waits) == 10
    assert kept.waits[0] < LONGEST / 20
    assert LONGEST / 3 < kept.waits[-1] <= LONGEST


async def test_what_was_not_shown_is_not_answered() -> None:
    session = Session()
    session.unconfirmed = 2
    kept = Kept(session)
    kept.keeper.wish = Wish(1, "alice", "alice@chat.example", "s", now(), "Tea", 7, 0, False)
    noted: list[object] = []
    add = kept.notes.add

    def noting(account_id: int, **values: object) -> None:
        if "answered" in values:
            noted.append((session.unconfirmed, values["answered"], values["shown"]))
        add(account_id, **values)

    kept.notes.add = noting  # type: ignore[method-assign]
    await kept.run()
    assert noted == [(0, 7, "Tea")]
    assert kept.session.opened == 3, "a session that does not confirm is opened anew"


async def test_who_is_gone_is_looked_at_once_a_day() -> None:
    kept = Kept(Session(Gone("disabled")))
    await kept.run()
    assert kept.waits == [DAY]
    assert kept.notes._notes[1]["error"] is None, "it came back"


async def test_a_surprise_does_not_end_the_keeper() -> None:
    kept = Kept(Session(ZeroDivisionError("our own")))
    await kept.run()
    assert kept.waits == [LONGEST]
    assert kept.keeper.is_up


async def test_a_refusal_waits_for_other_credentials() -> None:
    kept = Kept(Session(LoginRefused("no")))
    keeping = asyncio.create_task(kept.run())
    while not kept.refusals:
        await asyncio.sleep(0.01)
    kept.keeper.want(Wish(1, "alice", "alice@chat.example", "s", now(), None, 1, 0, False))
    await keeping
    assert kept.session.opened == 1, "another source is no other password"
    again = Kept(Session(), is_refused=True)
    await again.run()
    assert again.session.opened == 0
    assert again.refusals == []


async def test_a_password_that_does_not_open_waits_for_an_edit() -> None:
    kept = Kept(Session(Rejected("it does not open")))
    keeping = asyncio.create_task(kept.run(1))
    while not kept.refusals:
        await asyncio.sleep(0.01)
    assert kept.session.opened == 1
    kept.keeper.want(Wish(1, "alice", "alice@chat.example", "s", now(), None, 0, 0, False))
    while not kept.keeper.is_up:
        await asyncio.sleep(0.01)
    keeping.cancel()
