"""The shards of a run: ranges of accounts, each synced by a flow run of its own."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Text
from sqlmodel import Field, SQLModel

from models.types import UTCDateTime, words


class ShardState(StrEnum):
    """How far a shard is, told by us: Prefect's word for its flow run is another matter."""

    WAITING = "waiting"
    """Its turn, or its next attempt, has not come."""
    SENT = "sent"
    """A flow run was asked for; no worker has begun it, as far as we know."""
    RUNNING = "running"
    """A process is at work on it and holds its lock, or has died."""
    DONE = "done"
    """All of its accounts have an outcome."""
    GIVEN_UP = "given up"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done about it in this run."""
        return self in {ShardState.DONE, ShardState.GIVEN_UP, ShardState.CANCELLED}


class Shard(SQLModel, table=True):
    """A range of ids; whose accounts they are is decided when its process begins."""

    run_id: int = Field(
        foreign_key="run.id",
        ondelete="CASCADE",
        primary_key=True,
        sa_column_kwargs={"autoincrement": False},
    )
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """From 1."""
    first: int
    """Id of the first account that may be in it,"""
    last: int
    """and of the last; the ranges of a run leave nothing out between them."""
    due: int
    """How many accounts were due in it when the run began."""
    state: ShardState = Field(default=ShardState.WAITING, sa_type=words(ShardState))
    attempts: int = 0
    """How often a flow run was asked for."""
    flow_run_id: str | None = Field(default=None, max_length=36)
    """The latest of them."""
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the latest process began its work."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it ended in order; None: it has not, or has died."""
    reason: str = Field(default="", sa_type=Text)
    """How it ended, in words."""
    troubles: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    """What was out of action (`Systemic.kind`, or empty for everything), and what was said."""
    slowest: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    """The hosts that it waited for the longest, see `lastword.pace.HostPace`."""
