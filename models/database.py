"""The database: one async engine, alike on SQLite and PostgreSQL.

The words for trouble are hooked into the engine itself, so that whoever uses it meets
`DatabaseTrouble` and no driver's error; only a broken constraint stays an `IntegrityError`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr
from sqlalchemy import URL, Dialect, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from models import postgresql, sqlite
from models.account_rows import AccountRows
from models.errors import DatabaseTrouble

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

_OF_DRIVERS = (DBAPIError, OSError)

SESSIONS = 16
"""At once; the others wait."""
POOL_SECONDS = 60
"""How long a session waits for a free connection."""
_LOCKS = 5
"""Connections beside them, for locks that are held long."""


class Database:
    """An engine and its sessions. Nothing is opened before the first query.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database; the async driver is put
            in where it is missing.

    Attributes:
        accounts: rows that many tasks read and change at once.

    Raises:
        DatabaseTrouble: the URL cannot be one.
    """

    def __init__(self, url: SecretStr | str) -> None:
        self.url = normalise(url.get_secret_value() if isinstance(url, SecretStr) else url)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            # Values would stand in errors and, at level INFO, in the log: words of users.
            hide_parameters=True,
            # None beyond those that are kept: with hundreds of sessions at once SQLAlchemy would
            # open and close the surplus all the time, and each open costs more than a query.
            pool_size=SESSIONS + _LOCKS,
            max_overflow=0,
            # A PostgreSQL that was restarted between two runs must not cost the second one.
            pool_pre_ping=not self.is_sqlite,
        )
        # SQLAlchemy's queue lets those who come go before those who wait: of hundreds, some would
        # wait for a minute and take the database for dead. Here each has its turn.
        self._places = asyncio.Semaphore(SESSIONS)
        self._turn = asyncio.Lock() if self.is_sqlite else nullcontext()
        self.accounts = AccountRows(self.session, self.writing)
        self._speak_plainly()

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @classmethod
    @asynccontextmanager
    async def open(cls, url: SecretStr | str, *, check: bool = True) -> AsyncIterator[Self]:
        """Give a database, and close it in the end.

        Args:
            url: see the class.
            check: whether its schema must fit this code; False for who brings it up to date.

        Raises:
            DatabaseTrouble: it is missing, unreachable, locked, or of another version.
        """
        from models import schema  # noqa: PLC0415 (which needs this module first)

        database = cls(url)
        try:
            if check:
                await schema.check(database)
            yield database
        finally:
            await database.dispose()

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, False for PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None."""
        return Path(self.url.database or "").absolute() if self.is_sqlite else None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose rows stay readable after it; what is not committed is undone.

        Raises:
            DatabaseTrouble: the database cannot be reached, is locked for long, has no schema.
        """
        try:
            async with asyncio.timeout(POOL_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise DatabaseTrouble(
                f"no connection to the database became free within {POOL_SECONDS} seconds"
            ) from None
        try:
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                yield session
        finally:
            self._places.release()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose transaction is committed when the block ends.

        SQLite takes one writer at a time and lets the others try again and again. Those of this
        process queue here instead: of hundreds, some would be unlucky for longer than they wait.

        Raises:
            DatabaseTrouble: as `session` does.
        """
        async with self._turn, self.session() as session, session.begin():
            if self.is_sqlite:
                # Else what is read before the first write could be changed by another process.
                await (await session.connection()).exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    async def dispose(self) -> None:
        """Close all connections, once nothing is under way."""
        await self.accounts.settle()
        await self.engine.dispose()

    def _speak_plainly(self) -> None:
        """Make the engine open connections our way and raise `DatabaseTrouble`."""
        engine, url = self.engine.sync_engine, self.url
        backend = sqlite if self.is_sqlite else postgresql

        @event.listens_for(engine, "do_connect")
        def connect(
            dialect: Dialect, _record: object, cargs: list[Any], cparams: dict[str, Any]
        ) -> DBAPIConnection:
            # What a driver raises here need not be a DBAPI error, and then `handle_error`
            # would not see it.
            try:
                connection: DBAPIConnection = backend.connect(dialect, cargs, cparams)
            except Exception as error:
                if words := backend.explain(url, error):
                    raise DatabaseTrouble(words) from error
                raise
            return connection

        @event.listens_for(engine, "handle_error")
        def translate(context: ExceptionContext) -> None:
            error, wrapped = context.original_exception, context.sqlalchemy_exception
            if context.is_pre_ping:  # the pool opens another connection, which may tell more
                return
            if isinstance(wrapped, IntegrityError) or not isinstance(wrapped or error, _OF_DRIVERS):
                return
            if words := backend.explain(url, error):
                raise DatabaseTrouble(words) from error


def normalise(text: str) -> URL:
    """Return a database URL with its async driver.

    Raises:
        DatabaseTrouble: it is no URL of a SQLite file or a PostgreSQL database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise DatabaseTrouble(
            "the database URL is malformed: it looks like sqlite:////var/lib/lastword/lastword.db"
            " or postgresql://user:password@host/database"
        ) from None
    if url.drivername not in _DRIVERS:
        raise DatabaseTrouble(
            f"the database URL begins with {url.drivername}: it takes sqlite or postgresql"
        )
    url = url.set(drivername=_DRIVERS[url.drivername])
    if url.get_backend_name() != "sqlite":
        # The name that libpq and hosting providers use for what asyncpg calls `ssl`.
        query = {"ssl" if key == "sslmode" else key: value for key, value in url.query.items()}
        return url.set(query=query)
    if url.database in {None, "", ":memory:"} or (url.database or "").startswith("file:"):
        raise DatabaseTrouble("the SQLite database must be a file: sqlite:////path/to/lastword.db")
    return url
