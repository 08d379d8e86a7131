"""What the owners of accounts were told, so that no run tells it again."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.types import UTCDateTime


class OwnerNotice(SQLModel, table=True):
    """One row from the first try to tell an owner until they were told that it has healed."""

    __tablename__ = "owner_notice"

    account_id: int = Field(
        foreign_key="account.id",
        ondelete="CASCADE",
        primary_key=True,
        sa_column_kwargs={"autoincrement": False},
    )
    jid: str = Field(max_length=3071)
    """Whom it went to: who takes over an account is not told of what was before."""
    since: datetime = Field(sa_type=UTCDateTime)
    """Since when the account has waited for its owner."""
    edited_at: datetime = Field(sa_type=UTCDateTime)
    """The account's: what is refused anew after people changed something is another cause."""
    told_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When they were told of the trouble; None: not yet."""
    tried_at: datetime = Field(sa_type=UTCDateTime)
    tries: int = 0
    """How often the message that is due now could not be delivered."""


class RefusedNotifier(SQLModel, table=True):
    """The notifier's login that its server refused: the same is not tried again."""

    __tablename__ = "refused_notifier"

    id: int = Field(default=1, primary_key=True)
    mark: str = Field(max_length=64)
    """Changes with the JID and the password; see `lastword.sealing.Seal.mark`."""
