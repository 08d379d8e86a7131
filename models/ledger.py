"""The ledger of outcomes: one row per account and run, but for a repeated Unchanged or Skipped."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.types import UTCDateTime, now, words


class OutcomeKind(StrEnum):
    PUBLISHED = "Published"
    UNCHANGED = "Unchanged"
    SKIPPED = "Skipped"
    DEFERRED = "Deferred"
    FAILED = "Failed"


class LedgerEntry(SQLModel, table=True):
    """What became of one account in one run."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("run_id", "account_id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE")
    account_id: int = Field(foreign_key="account.id", ondelete="CASCADE", index=True)
    kind: OutcomeKind = Field(sa_type=words(OutcomeKind))
    error: str | None = Field(default=None, max_length=32)
    reason: str = Field(default="", sa_type=Text)
    carrier: str | None = Field(default=None, max_length=32)
    post_id: str | None = Field(default=None, sa_type=Text)
    seconds: float = 0.0
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)
