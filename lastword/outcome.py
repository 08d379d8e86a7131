"""What became of one account in one run."""

from dataclasses import dataclass
from datetime import datetime

from lastword.errors import Deferred, LastWordError
from lastword.post import Post
from models import OutcomeKind


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one account's story.

    Attributes:
        kind: Published, Unchanged, Skipped, Deferred or Failed.
        reason: why, for people; no secret, no text of a post, no address of a user.
        post: the newest eligible post, where one was found.
        status: what the server now holds, where we know it; empty where it holds none.
        carrier: what holds it there.
        error: the error it came of, where it did.
        newest: when the newest post was written, where none of them is eligible.
    """

    kind: OutcomeKind
    reason: str
    post: Post | None = None
    status: str | None = None
    carrier: str | None = None
    error: LastWordError | None = None
    newest: datetime | None = None

    @classmethod
    def of_error(cls, error: LastWordError) -> "Outcome":
        """Return the outcome that an error means for its account."""
        kind = OutcomeKind.DEFERRED if isinstance(error, Deferred) else OutcomeKind.FAILED
        return cls(kind, str(error), error=error)

    @property
    def error_name(self) -> str | None:
        """The error's class name, as the ledger keeps it."""
        return type(self.error).__name__ if self.error else None

    @property
    def host(self) -> str | None:
        """The server that the error happened at, where it was one."""
        return self.error.host if self.error else None

    @property
    def wrote_last(self) -> datetime | None:
        """When the newest post was written (aware), as far as it is known."""
        return self.post.time if self.post else self.newest
