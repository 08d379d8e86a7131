"""One flow run over the accounts that were due, with its counts."""

from datetime import datetime

from sqlalchemy import Text, false
from sqlmodel import Field, SQLModel

from models.types import UTCDateTime, now


class Run(SQLModel, table=True):
    """`ended_at` None means under way, or that its process died."""

    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    flow_run_id: str | None = Field(default=None, max_length=36, index=True)
    which: str = Field(max_length=16)
    force: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether it publishes even what is unchanged: its shards are to know."""
    started_at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    state: str = Field(default="Running", max_length=16)
    message: str = Field(default="", sa_type=Text)
    due: int = 0
    published: int = 0
    unchanged: int = 0
    skipped: int = 0
    deferred: int = 0
    failed: int = 0
