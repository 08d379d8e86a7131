"""The service `lastword hold`: one keeper for each account that is to be held, as long as it is."""

import asyncio
import logging
import resource
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from lastword.errors import LastWordError, Rejected
from lastword.health_port import health_port
from lastword.holder.changes import tell_changes
from lastword.holder.heartbeat import Heartbeat
from lastword.holder.keeper import Keeper
from lastword.holder.lock import hold_lock
from lastword.holder.notes import Notes
from lastword.holder.pace import Pace
from lastword.holder.settings import HoldSettings
from lastword.holder.wishes import Wish, forget_others, make_rows, wishes
from lastword.jid import domain_of
from lastword.publishers.addresses import server_addresses
from lastword.publishers.dns import Directory
from lastword.publishers.held_session import HeldSession, use_small_buffers
from lastword.record import quarantine
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.supervisor import keep_watchdog_quiet, tell_supervisor
from lastword.trials import Trials
from models import Account
from models.database import Database
from models.errors import DatabaseTrouble

log = logging.getLogger(__name__)

_LEAVE = 10.0
"""Seconds to take leave of all servers."""
_CALM = 0.2
"""Seconds between two looks at what is wanted: a run asks for many statuses in a row."""
_AGAIN = 5.0


class Holder:
    """Holds sessions for the length of `run`.

    Args:
        database: at our version.
        keyring: its own.
        tls: decides which certificates are trusted.
        settings: those of all.
        own: those of the holder.

    Raises:
        Systemic: a setting is malformed.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        tls: ssl.SSLContext,
        settings: Settings,
        own: HoldSettings,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._own = own
        self._addresses = server_addresses(settings.xmpp_servers)
        self._login: dict[str, Any] = {
            "tls": tls,
            "deadline": settings.xmpp_deadline,
            "answer_deadline": settings.xmpp_answer_deadline,
            "directory": Directory(),
        }
        self._heartbeat = Heartbeat(database)
        self._notes = Notes(database)
        self._trials = Trials(database)
        self._paces: defaultdict[str, Pace] = defaultdict(
            lambda: Pace(own.hold_login_rate, own.hold_logins)
        )
        self._keepers: dict[int, tuple[Keeper, asyncio.Task[None]]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def counts(self) -> tuple[int, int]:
        """How many sessions are wanted, and how many there are."""
        return len(self._keepers), sum(keeper.is_up for keeper, _ in self._keepers.values())

    async def run(self, started: Callable[[int], None]) -> None:
        """Hold sessions until cancelled; then leave, within seconds.

        Args:
            started: called with the port that tells how we do.

        Raises:
            AnotherHolder: another process holds the sessions of this database.
            DatabaseTrouble: the database cannot be worked with at the start.
            UsageError: the port for health is taken.
        """
        use_small_buffers()
        _allow_many_files()
        async with (
            hold_lock(self._database),
            health_port(
                self._own.hold_health_port, self._ready, setting="LASTWORD_HOLD_HEALTH_PORT"
            ) as port,
            self._alive(),
        ):
            await self._notes.begin()
            started(port)
            tell_supervisor("READY=1")
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._heartbeat.beat_on())
                    tasks.create_task(self._notes.write_on())
                    tasks.create_task(tell_changes(self._database, self._changed.set))
                    tasks.create_task(self._follow())
                    tasks.create_task(keep_watchdog_quiet())
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
            finally:
                tell_supervisor("STOPPING=1")
                await self._leave_all()

    @asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        await self._heartbeat.begin()
        try:
            yield
        finally:
            await self._heartbeat.end()

    async def _ready(self) -> dict[str, Any]:
        """Return how we do; see `health_port`."""
        wanted, up = self.counts
        trouble = None
        try:
            await self._keyring.check(self._database)
        except (LastWordError, DatabaseTrouble) as error:
            trouble = str(error)
        if not self._heartbeat.is_fresh:
            trouble = trouble or "no sign of life was written for long"
        return {"ready": trouble is None, "trouble": trouble, "wanted": wanted, "up": up}

    async def _follow(self) -> None:
        """Do what the database wants, again at each change."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._reconcile()
            except DatabaseTrouble as error:
                log.warning("what is wanted is not known: %s", error)
                self._changed.set()
                await asyncio.sleep(_AGAIN)
            await asyncio.sleep(_CALM)

    async def _reconcile(self) -> None:
        wanted = await wishes(self._database)
        before = len(self._keepers)
        for account_id, (keeper, task) in list(self._keepers.items()):
            wish = wanted.get(account_id)
            if wish and wish.credentials == keeper.wish.credentials:
                keeper.want(wish)
            else:
                del self._keepers[account_id]
                self._let_go(keeper, task)
        if self._leaving:  # a session of other credentials ends before its successor begins
            await asyncio.wait(self._leaving, timeout=_LEAVE)
        new = [wish for account_id, wish in wanted.items() if account_id not in self._keepers]
        if new or len(self._keepers) < before:
            async with self._database.writing() as session:
                await forget_others(session)
                await make_rows(session)
        for wish in new:
            keeper = self._keeper(wish)
            self._keepers[wish.account_id] = keeper, asyncio.create_task(keeper.keep())

    def _keeper(self, wish: Wish) -> Keeper:
        domain = domain_of(wish.jid)
        session = HeldSession(
            wish.jid,
            # As it is by then: it may have been sealed anew since.
            lambda: self._keyring.open_password(_account(keeper.wish)),
            address=self._addresses.get(domain),
            **self._login,
        )
        keeper = Keeper(
            wish,
            session,
            pace=self._paces[domain],
            notes=self._notes,
            refused=self._quarantine,
            trial=lambda wish: self._trials.login(_account(wish)),
            ping_seconds=self._own.hold_ping_seconds,
        )
        return keeper

    async def _quarantine(self, wish: Wish, error: Rejected) -> None:
        with suppress(DatabaseTrouble):  # the next run hears it from our notes
            await self._notes.write()
            await quarantine(self._database, _account(wish), error)

    def _let_go(
        self, keeper: Keeper, task: "asyncio.Task[None]", *, last_words: bool = False
    ) -> None:
        async def leave() -> None:
            task.cancel()
            await asyncio.wait([task])
            await keeper.leave(last_words=last_words)

        leaving = asyncio.create_task(leave())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _leave_all(self) -> None:
        for keeper, task in self._keepers.values():
            self._let_go(keeper, task, last_words=True)
        self._keepers.clear()
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=_LEAVE)
            for task in late:
                task.cancel()
        with suppress(DatabaseTrouble):
            await self._notes.write()


def _allow_many_files() -> None:
    """Take as many connections as the system lets us: the usual limit is for old programs."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a supervisor has set another limit, and that counts
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _account(wish: Wish) -> Account:
    """Return as much of an account as opening its password and its quarantine take."""
    return Account(
        id=wish.account_id,
        name=wish.name,
        source="",
        jid=wish.jid,
        secret=wish.secret,
        edited_at=wish.edited_at,
        trial=wish.trial,
    )
