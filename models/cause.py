"""The causes of trouble that are open: what operators were told of, and will be told has ended."""

from datetime import datetime

from sqlalchemy import JSON, Text
from sqlmodel import Field, SQLModel

from models.types import UTCDateTime


class OpenCause(SQLModel, table=True):
    """One row as long as it lasts; see `lastword.causes`."""

    __tablename__ = "cause"

    key: str = Field(primary_key=True, max_length=340)
    """Kind and what it is about: `host-down:chat.example`."""
    kind: str = Field(max_length=16)
    host: str | None = Field(default=None, max_length=300)
    since: datetime = Field(sa_type=UTCDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When operators were last told; None: not yet."""
    clear_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Since when it has not been seen any more; None: it was seen in the latest run."""
    runs: int = 1
    """In how many runs it was seen."""
    accounts: list[int] = Field(default_factory=list, sa_type=JSON)
    """Ids of the accounts that it met."""
    says: str = Field(default="", sa_type=Text)
    """What was last said of it."""
