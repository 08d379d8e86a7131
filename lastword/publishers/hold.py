"""Publisher `hold`: asks the holder, a service of its own, to show a status in its session.

The two meet in our database: here a status is asked for, there it is shown, and the answer comes
back once the server has shown it to the holder as well.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlmodel import col, update

from lastword import errors
from lastword.breaker import Breaker
from lastword.errors import Deferred, HolderAway, LastWordError, Rejected, Transient
from lastword.holder.wishes import make_rows
from lastword.jid import domain_of
from lastword.post import Post
from lastword.publishers import pep, presence
from lastword.publishers.base import MIXED, Confirmation, Mixed, Publisher, check_xml
from lastword.publishers.hold_looks import Looks, look
from models import Account, Held
from models.database import Database
from models.held import credentials_of

_LOOK = 0.2
"""Seconds between two looks for answers, one query for all that wait."""


class HoldSession:
    """One account's way to its status, by way of the holder.

    Args:
        database: ours.
        account: whose.
        looks: shared by all.
        answers: shared by all.
    """

    def __init__(
        self, database: Database, account: Account, looks: Looks, answers: "_Answers"
    ) -> None:
        self._database = database
        self._account = account
        self._looks = looks
        self._answers = answers

    async def current(self) -> str | Mixed | None:
        """Return what the server shows, if all that is wanted and recorded is just that.

        What the holder is about to show counts as well: see `Session.current`.
        """
        if (self._account.pep_memory or {}).get("asked", pep.DEFAULT) != self._account.pep:
            return MIXED
        held = (await self._looks.at(self._account)).held
        if held is None or held.wanted is held.shown is None:
            return None
        is_so = held.up_since and held.shown == held.wanted == self._account.published_status
        return held.shown if is_so else MIXED

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        """Have the status shown, or cleared with None; return once the server has confirmed.

        Raises:
            HolderAway: the holder died meanwhile.
            Transient: the holder has no session, or did not confirm in time.
            LastWordError: the holder's own error for this account.
            Defect: the status was not cleaned.
        """
        del post  # presence has room for words only
        check_xml(status)
        asked = await self._ask(status)
        await self._answers.wait_for(self._account, asked)
        # What another publisher had put there, the holder has taken back before it answered.
        self._account.pep_memory = {"asked": self._account.pep, "held": {}}
        return Confirmation(presence.NAME)

    async def _ask(self, status: str | None) -> int:
        row = (
            update(Held)
            .where(col(Held.account_id) == self._account.id)
            .values(wanted=status, asked=col(Held.asked) + 1)
            .returning(col(Held.asked))
        )
        async with self._database.writing() as session:
            await make_rows(session, self._account.id)
            asked: int | None = (await session.exec(row)).scalar()
        if asked is None:
            raise Deferred("the account was removed meanwhile")
        return asked


class Hold(Publisher):
    """Opens sessions for accounts that the holder holds.

    Args:
        database: ours.
        deadline: seconds that the holder may take for one status.
    """

    def __init__(self, database: Database, *, deadline: float) -> None:
        self._database = database
        self._looks = Looks(database)
        self._answers = _Answers(database, deadline)
        self._breaker = Breaker()

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator[HoldSession]:
        """Ask the holder for this account.

        Raises:
            HolderAway: there is none.
            LastWordError: the holder's own error for this account.
        """
        away: HolderAway | None = None
        if not (await self._looks.at(account)).is_alive:
            raise HolderAway
        async with self._breaker.watching(domain_of(account.jid)):
            try:
                yield HoldSession(self._database, account, self._looks, self._answers)
            except HolderAway as error:
                away = error  # which tells nothing about the server
        if away:
            raise away

    async def stands(self, account: Account) -> bool:
        """Return whether the holder shows what was published.

        Raises:
            HolderAway: there is none, so nothing is shown.
        """
        seen = await self._looks.at(account)
        held = seen.held
        if account.published_status is None:
            return not (held and held.wanted)
        if not seen.is_alive:
            raise HolderAway
        return bool(held and held.up_since and held.shown == account.published_status)

    async def close(self) -> None:
        """End what still looks for answers."""
        await self._looks.close()
        await self._answers.close()


@dataclass(eq=False, slots=True)
class _Waiting:
    """One run's request that has no answer yet."""

    account: Account
    asked: int
    answer: "asyncio.Future[None]"
    trouble: LastWordError | None = None
    """What keeps the holder from it just now."""

    def judge(self, held: Held | None, *, is_away: bool) -> None:
        """Take the answer, if this is one."""
        if held is None:
            self.fail(Deferred("the account was removed meanwhile"))
        elif held.answered >= self.asked and held.up_since:
            if not self.answer.done():
                self.answer.set_result(None)
        elif is_away:
            self.fail(HolderAway())
        else:
            self.trouble = error_of(held, self.account)
            # A session that was lost is back within seconds, as a rule.
            if self.trouble and not isinstance(self.trouble, Transient):
                self.fail(self.trouble)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Answers:
    """Looks for the holder's answers to all that wait for one."""

    def __init__(self, database: Database, deadline: float) -> None:
        self._database = database
        self._deadline = deadline
        self._waiting: set[_Waiting] = set()
        self._looking: asyncio.Task[None] | None = None

    async def wait_for(self, account: Account, asked: int) -> None:
        one = _Waiting(account, asked, asyncio.get_running_loop().create_future())
        self._waiting.add(one)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            async with asyncio.timeout(self._deadline):
                await one.answer
        except TimeoutError:
            raise one.trouble or Transient(
                f"the holder did not have the status shown within {self._deadline:g} s:"
                " it is shown later, when the holder gets round to it"
            ) from None
        finally:
            self._waiting.discard(one)

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_on(self) -> None:
        while self._waiting:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 (those who wait are to have it)
                for one in self._waiting:
                    one.fail(error)
            await asyncio.sleep(_LOOK)

    async def _look(self) -> None:
        waiting = tuple(self._waiting)
        seen = await look(self._database, [one.account.id or 0 for one in waiting])
        for one, it in zip(waiting, seen, strict=True):
            one.judge(it.held, is_away=not it.is_alive)


def error_of(held: Held, account: Account) -> LastWordError | None:
    """Return why the holder has no session for an account, or None where it has, or tries."""
    kind = getattr(errors, held.error or "", None)
    if kind is None:
        return None
    if issubclass(kind, Rejected) and held.tried != credentials_of(account.jid, account.secret):
        return None
    found: LastWordError = kind(held.reason or "the holder has no session")
    return found
