"""Statuses that the holder keeps up, and the sign of life by which it is known to be there."""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import Text, text
from sqlmodel import Field, SQLModel

from models.types import UTCDateTime, now


class Held(SQLModel, table=True):
    """What is wanted of one account, written by runs, and what became of it, by the holder."""

    account_id: int = Field(
        foreign_key="account.id",
        ondelete="CASCADE",
        primary_key=True,
        sa_column_kwargs={"autoincrement": False},
    )
    wanted: str | None = Field(default=None, sa_type=Text)
    """The status to show; None: none."""
    asked: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Grows with each time that a run asks for a status; 0: none has yet."""
    answered: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Which of these the server has shown to ourselves."""
    shown: str | None = Field(default=None, sa_type=Text)
    """What the server shows in the session that there is now."""
    up_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Since when there has been a session; None: there is none."""
    error: str | None = Field(default=None, max_length=32)
    """Why there is none: the error's class name in `lastword.errors`."""
    reason: str | None = Field(default=None, sa_type=Text)
    tried: str | None = Field(default=None, max_length=64)
    """The credentials that were rejected; see `credentials_of`."""


class HolderBeat(SQLModel, table=True):
    """The one holder's sign of life; no row where none is running."""

    __tablename__ = "holder_beat"

    id: int = Field(default=1, primary_key=True)
    token: str = Field(max_length=32)
    """Tells one holder's process from another's."""
    started_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    beat_at: datetime = Field(sa_type=UTCDateTime)
    """By the database's clock."""


def credentials_of(jid: str, secret: str | None) -> str:
    """Return a word that changes when an account's JID or its password does.

    A password that is sealed anew with another key keeps its nonce, and is the same password: the
    first 16 characters of what is base64 in its token.
    """
    nonce = (secret or "").rpartition(".")[2][:16]
    return sha256(f"{jid}\n{nonce}".encode()).hexdigest()
