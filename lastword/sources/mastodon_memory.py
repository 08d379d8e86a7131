"""What is kept of a Mastodon account between runs."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from lastword.eligibility import Choice, Rules
from lastword.post import Post
from lastword.sources.mastodon_address import Place, place_of

LOOKED_UP_FOR = timedelta(days=1)
"""A name is looked up again after this, so that a move or a suspension is noticed."""

_LOOKED_AT_FOR = timedelta(hours=6)
_SETTLED_AFTER = timedelta(hours=1)

_Text = Annotated[str, Field(max_length=2_100)]


class Memory(BaseModel):
    """The JSON values in an account's source memory; another handle's, or garbage, is not taken.

    Attributes:
        handle: whose memory it is.
        base: the base URL of the server that is asked: another one where the account has moved.
        user: the account's name there.
        id: its id there; None: not found, or read from its feed.
        moved_to: the source address that the account has moved to.
        looked_up: when the name was last looked up.
        feed: URL of the feed that is read because the server demands a token for the rest.
        etag: the feed's validator (RFC 9110, 8.8.3).
        activity: what the server said of the number and date of the statuses, at the last look
            or before it.
        looked_at: when they were last looked at.
        post: what was chosen then.
        why: why that, as in `Choice`; None: they were never looked at.
    """

    model_config = ConfigDict(frozen=True)

    handle: _Text
    base: _Text
    user: Annotated[str, Field(max_length=100)]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    moved_to: _Text | None = None
    looked_up: AwareDatetime | None = None
    feed: _Text | None = None
    etag: Annotated[str, Field(max_length=500)] | None = None
    activity: Annotated[str, Field(max_length=100)] | None = None
    looked_at: AwareDatetime | None = None
    post: Post | None = None
    why: _Text | None = None

    @field_validator("post")
    @classmethod
    def _is_aware(cls, post: Post | None) -> Post | None:
        if post and post.time and post.time.tzinfo is None:
            raise ValueError("its time has no zone")
        return post

    @classmethod
    def of(cls, handle: str, memory: dict[str, Any]) -> Self:
        """Return what is remembered of the handle; nothing but the handle where it is new.

        Raises:
            ValueError: it is no handle; the message says what one looks like.
        """
        place = place_of(handle)
        new = cls(handle=handle, base=place.base, user=place.user)
        try:
            known = cls.model_validate(new.to_json() | memory)
            usable = known.handle == handle and place_of(known.place.handle) == known.place
        except ValueError:  # of an older version, or damaged
            return new
        return known if usable else new

    def but(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return the memory with these values changed."""
        return self.model_copy(update=changes)

    def at(self, place: Place, moved_to: Place | None) -> Self:
        """Return the memory of the account at a place; what was learnt of another is dropped."""
        address = f"mastodon:{moved_to.handle}" if moved_to else None
        if place == self.place:
            return self.but(moved_to=address)
        return type(self)(handle=self.handle, base=place.base, user=place.user, moved_to=address)

    def found(self, account: str, activity: str | None, now: datetime) -> Self:
        """Return the memory after a look-up; what was chosen of another account is dropped.

        Args:
            account: its id.
            activity: as told now: it must not be taken for that of an earlier look.
            now: the present moment.
        """
        known = {} if account == self.id else {"post": None, "why": None, "looked_at": None}
        memory = self.but(id=account, looked_up=now, feed=None, etag=None, **known)
        return memory if memory.choice else memory.but(activity=activity)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def place(self) -> Place:
        """Where the account is asked for now."""
        return Place(self.base, self.user)

    @property
    def is_found(self) -> bool:
        """Whether the account was ever found."""
        return self.id is not None or self.feed is not None

    def is_known(self, now: datetime) -> bool:
        """Tell whether the account need not be looked up."""
        return self.is_found and _is_within(LOOKED_UP_FOR, self.looked_up, now)

    @property
    def choice(self) -> Choice | None:
        """The choice that was made when the statuses were last looked at."""
        return None if self.why is None else Choice(self.post, self.why)

    def chose(self, choice: Choice) -> Self:
        """Return the memory with what was chosen."""
        return self.but(post=choice.post, why=choice.why)

    def still_holds(self, activity: str | None, rules: Rules) -> Choice | None:
        """Return the last choice as it stands now, if nothing speaks for another look.

        A count and a date do not show an edit, and hardly a post that replaces a deleted one:
        hence a look at least every six hours, and at every run while the post is new.
        """
        if self.choice is None or activity is None or activity != self.activity:
            return None
        if not _is_within(_LOOKED_AT_FOR, self.looked_at, rules.now):
            return None
        if self.post and self.post.time and rules.now - self.post.time < _SETTLED_AFTER:
            return None
        return rules.again(self.choice)


def _is_within(span: timedelta, moment: datetime | None, now: datetime) -> bool:
    # Not where it is still to come, either: a clock that was wrong must not stop us for long.
    return moment is not None and now - span < moment <= now
