"""One user's wiring: where their posts come from, which JID they go to, and their health."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Interval, Text, text, true
from sqlmodel import Field, SQLModel

from models.ledger import OutcomeKind
from models.types import UTCDateTime, now, words

UNSETTLED = "?"
"""What `pep_memory` says was asked for, where another publisher published last."""


class Health(StrEnum):
    OK = "ok"
    FAILING = "failing"
    NEEDS_OWNER = "needs_owner"
    GONE = "gone"


# Columns that hold sealed values: all that is sealed for accounts, and found by this mark.
SEALED = {"info": {"sealed": True}}

# All that choosing who is due looks at and gives, in the order of turns: the rows themselves,
# with their texts and memories, are a hundred times larger.
_DUE = Index("ix_account_due", "checked_at", "name", "due_at", "active", "health", "id")


class Account(SQLModel, table=True):
    """Wiring, set by people, then what runs remember and report about it."""

    # A run under way must not take a new account for the removed one that it was given.
    __table_args__ = (_DUE, {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, index=True, max_length=64)
    source: str = Field(max_length=2048)
    """Source address, `kind:handle`."""
    jid: str = Field(max_length=3071)
    """Bare JID, normalised."""
    publisher: str = Field(default="login", max_length=16)
    secret: str | None = Field(default=None, sa_type=Text, sa_column_kwargs=SEALED)
    """The password, sealed by `lastword.secrets` for this account and server."""
    template: str = Field(default="{text}", max_length=512)
    length: int = Field(default=200, sa_column_kwargs={"server_default": "200"})
    """Graphemes in a status at most."""
    mentions: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    """Whether a status keeps the post's @mentions."""
    hashtags: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    """Whether a status keeps the post's #hashtags."""
    max_age: timedelta | None = Field(default=None, sa_type=Interval)
    """A post older than this is not published; None: as the settings say."""
    expires_after: timedelta | None = Field(default=None, sa_type=Interval)
    """A status older than this is cleared; None: it stays."""
    only: str = Field(default="", max_length=1024, sa_column_kwargs={"server_default": text("''")})
    """Words and #tags, with commas: a post must have one of them."""
    never: str = Field(default="", max_length=1024, sa_column_kwargs={"server_default": text("''")})
    """Words and #tags, with commas: a post must have none of them."""
    pep: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": text("''")})
    """Kinds of PEP nodes that show the status, with commas; empty: as the server needs it."""
    active: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    edited_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """When people last changed the wiring: a run that began before must not judge the new one."""

    health: Health = Field(default=Health.OK, sa_type=words(Health))
    health_since: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    failures: int = 0
    """Failed outcomes in a row since it has been of this health."""
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Not tried before this moment; None: at every run."""

    published_status: str | None = Field(default=None, sa_type=Text)
    published_post_id: str | None = Field(default=None, sa_type=Text)
    published_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Since when the server has had this status, or when it got the one that was cleared since."""
    checked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When a run last got round to the account: those it could not, come first in the next."""
    source_memory: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What the source keeps between runs (ETag, resolved id, last post): assign, never mutate."""
    trial: str | None = Field(default=None, max_length=80)
    """`good`, or how many logins were begun and not ended, and of which credentials."""
    session_memory: str | None = Field(default=None, sa_type=Text, sa_column_kwargs=SEALED)
    """What the publisher keeps between runs, sealed: a saved session is a secret too."""

    pep_memory: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    """What of PEP holds our words, and by which choice: assign, never mutate."""

    last_run_id: int | None = Field(
        default=None, foreign_key="run.id", ondelete="SET NULL", index=True
    )
    last_outcome: OutcomeKind | None = Field(default=None, sa_type=words(OutcomeKind))
    last_error: str | None = Field(default=None, max_length=32)
    """The error's class name in `lastword.errors`, where the outcome came of one."""
    last_host: str | None = Field(default=None, max_length=300)
    """The server that the error happened at, where it was one."""
    last_reason: str | None = Field(default=None, sa_type=Text)
    last_carrier: str | None = Field(default=None, max_length=32)
    last_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
