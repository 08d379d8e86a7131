"""Everything that can go wrong with an account, as one small tree.

A message is for the user: it says what happened and what to do, and holds no secret.
Sources and publishers raise only these and never retry: the Prefect task owns retries.
"""

from datetime import datetime


class LastWordError(Exception):
    """Base of the tree; `str(error)` is the message shown to people.

    Attributes:
        host: the server that it happened at, where it was one; set by the breaker.
    """

    host: str | None = None


class Transient(LastWordError):
    """Worth another try within this task run: a timeout, a reset, a 502."""


class HolderAway(Transient):
    """The service that holds sessions is not there: its accounts' statuses are not shown."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or "the holder is not running: start `lastword hold`")


class Deferred(LastWordError):
    """Not in this run, and not the account's fault: a rate limit, a host that is down.

    Args:
        message: what happened.
        until: when to look again (aware); None means at the next run.
        is_silent: whether the host has said nothing: others wait for it, or it is down.
    """

    def __init__(
        self, message: str, until: datetime | None = None, *, is_silent: bool = False
    ) -> None:
        super().__init__(message)
        self.until = until
        self.is_silent = is_silent


class Stopped(Deferred):
    """Not in this run: something Systemic stopped it before this account's turn was over."""


class Rejected(LastWordError):
    """Credentials or address are wrong: the account waits for its owner, untried until then."""


class LoginRefused(Rejected):
    """The chat server refused the login: only another password, JID or publisher changes that."""


class Gone(LastWordError):
    """Suspended, deleted, deactivated or moved: look again rarely, come back by itself."""


class Systemic(LastWordError):
    """The program itself is in trouble (its key, its database): stop the run, blame no account.

    Args:
        message: what happened, and what the operator must do.
        kind: the kind of source that is out of action, or `publisher:domain`; None: everything.
    """

    def __init__(self, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class Abandoned(LastWordError):
    """Nobody wants this process's work any more: no further account is begun."""


class Defect(LastWordError):
    """A bug of ours, caught so that it costs one account one run."""
