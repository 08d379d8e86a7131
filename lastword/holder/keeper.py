"""Keeps one account's session: logs in, shows what is wanted, comes back when it was lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic

from lastword.defect import defect
from lastword.errors import Gone, LastWordError, LoginRefused, Rejected
from lastword.holder.notes import Notes
from lastword.holder.pace import Pace, backoff
from lastword.holder.wishes import Wish
from lastword.publishers.held_session import HeldSession
from lastword.trials import Begin
from models.types import now

LONGEST = 30.0
"""Seconds between two tries of one account at most,"""
DAY = 86_400.0
"""but for one that its server has disabled."""
STOOD = 20.0
"""A session that ends before so many seconds counts as a failure: some servers let us in and
throw us out."""

Refused = Callable[[Wish, Rejected], Awaitable[None]]
Trial = Callable[[Wish], AbstractAsyncContextManager[Begin | None]]


class Keeper:
    """Of one account, with one set of credentials.

    Args:
        wish: what is wanted.
        session: not open.
        pace: of its server.
        notes: where to tell what became of it.
        refused: called when the server refuses the login, or there can be none.
        trial: entered for each login; see `Trials.login`.
        ping_seconds: how often to ask whether the server is still there.

    Attributes:
        wish: what is wanted now.
    """

    def __init__(
        self,
        wish: Wish,
        session: HeldSession,
        *,
        pace: Pace,
        notes: Notes,
        refused: Refused,
        trial: Trial,
        ping_seconds: float,
    ) -> None:
        self.wish = wish
        self._session = session
        self._pace = pace
        self._notes = notes
        self._refused = refused
        self._trial = trial
        self._ping_seconds = ping_seconds
        self._shown: tuple[str | None] | None = None
        self._answered = wish.answered
        self._news: asyncio.Future[None] | None = None
        self._edited = asyncio.Event()
        self._up_at: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a session."""
        return self._up_at is not None

    def want(self, wish: Wish) -> None:
        """Take a new wish for the same credentials."""
        before, self.wish = self.wish, wish
        if wish.edited_at != before.edited_at:
            self._edited.set()
        if wish.asked != before.asked and self._news and not self._news.done():
            self._news.set_result(None)

    async def keep(self) -> None:
        """Keep the session for ever; when cancelled, leave."""
        failures = 0
        while True:
            self._up_at = None
            try:
                await self._until_lost()
            except Rejected as error:
                await self._reject(error)
            except LastWordError as error:
                failures = 0 if self._has_stood() else failures + 1
                self._down(error)
                gone = isinstance(error, Gone)
                await self._pause(DAY if gone else backoff(failures, LONGEST))
            except Exception as error:  # noqa: BLE001 (one account's surprise is not another's)
                self._down(defect(error))
                await self._pause(LONGEST)

    async def leave(self, *, last_words: bool) -> None:
        """Take leave; `keep` has ended."""
        self._up_at = None
        await self._session.leave(self.wish.status if last_words else None)
        self._note(up_since=None, shown=None)

    async def _until_lost(self) -> None:
        """Log in, show, and raise what ends it."""
        if self.wish.is_refused:
            raise LoginRefused("")
        has_resumed = await self._pace.log_in(self._log_in)
        if not has_resumed:
            self._shown = None
        self._up_at = monotonic()
        shown = self._shown[0] if self._shown else None
        self._note(up_since=now(), shown=shown, error=None, reason=None, tried=None)
        while True:
            await self._show()
            self._news = self._session.news()
            try:
                async with asyncio.timeout(self._ping_seconds):
                    await self._news
            except TimeoutError:
                await self._session.check()

    async def _log_in(self) -> bool:
        async with self._trial(self.wish) as begin:
            return await self._session.open(begin)

    async def _show(self) -> None:
        """Show what is wanted, until that is what is shown."""
        while (wish := self.wish).asked and (
            self._shown != (wish.status,) or self._answered != wish.asked
        ):
            await self._session.show(wish.status)
            if wish.left:
                await self._session.take_back(wish.left)
            self._shown, self._answered = (wish.status,), wish.asked
            self._note(shown=wish.status, answered=wish.asked)

    def _has_stood(self) -> bool:
        return self._up_at is not None and monotonic() - self._up_at > STOOD

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until somebody has changed the account."""
        self._edited.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._edited.wait()

    async def _reject(self, error: Rejected) -> None:
        """Wait until somebody has changed the account; other credentials get another keeper."""
        self._edited.clear()
        refused = self.wish
        if not refused.is_refused:
            self._down(error)
            await self._refused(refused, error)
        if refused.is_refused or isinstance(error, LoginRefused):
            await asyncio.get_running_loop().create_future()
        await self._edited.wait()

    def _down(self, error: LastWordError) -> None:
        self._up_at = None
        tried = self.wish.credentials if isinstance(error, Rejected) else None
        self._note(
            up_since=None, shown=None, error=type(error).__name__, reason=str(error), tried=tried
        )

    def _note(self, **values: object) -> None:
        self._notes.add(self.wish.account_id, **values)
