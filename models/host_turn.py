"""When each host may be asked again, where several processes ask at a time."""

from sqlmodel import Field, SQLModel


class HostTurn(SQLModel, table=True):
    """One row for each host that shards had to take turns at; see `lastword.host_turns`."""

    __tablename__ = "host_turn"

    host: str = Field(primary_key=True, max_length=300)
    free_at: float
    """Seconds since 1970, by the database's clock: until then all turns are given away."""
