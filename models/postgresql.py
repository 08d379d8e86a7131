"""PostgreSQL: how connections are opened, and what its errors mean to people."""

from typing import Any

from sqlalchemy import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection

CONNECT_SECONDS = 30
"""How long the server may take to let us in; `?timeout=` in the URL sets another time.

Of one that is down, the system tells at once. A run that begins over thousands of accounts on a
machine that is busy already has kept itself from connecting for more than ten seconds.
"""

_UNFIT = "it does not fit this version ({error}): run `lastword init`"
_TROUBLED = "it cannot serve us now ({error}): look at its log"

# By SQLSTATE, or by its class (PostgreSQL manual, appendix A).
_WORDS = {
    # Its own words may quote the value.
    "22": "it cannot keep a value that it was given (SQLSTATE {error.sqlstate}): please report it",
    "28": "it refuses us ({error}): look at user and password in the URL",
    "3D000": "there is no such database: create it first, with `createdb`",
    "42501": "our user may not do this ({error}): give it the right",
    "42703": _UNFIT,
    "42P01": _UNFIT,
    "53300": "it has no connection left for us: raise max_connections",
} | dict.fromkeys(("08", "25", "53", "55", "57", "58", "XX"), _TROUBLED)


def connect(dialect: Dialect, cargs: list[Any], cparams: dict[str, Any]) -> DBAPIConnection:
    """Open a connection."""
    timeout = float(cparams.get("timeout", CONNECT_SECONDS))
    return dialect.connect(*cargs, **{**cparams, "timeout": timeout})


def explain(url: URL, error: BaseException) -> str | None:
    """Return what is wrong and what to do, or None where the database is not to blame."""
    server = f"PostgreSQL at {url.host or url.query.get('host') or 'the default socket'}"
    if code := getattr(error, "sqlstate", None):
        words = _WORDS.get(code) or _WORDS.get(code[:2])
        return words and f"{server}, database {url.database}: {words.format(error=error)}"
    match error:
        case TypeError() | ValueError():
            return f"the database URL has a wrong parameter: {error}"
        case TimeoutError():
            return f"{server} does not answer: look whether it is up and reachable from here"
        case OSError():
            return f"{server} cannot be reached ({error.strerror or error}): look whether it is up"
    if "connection is closed" in str(error):
        return f"the connection to {server} was lost: look whether it is up"
    return None
