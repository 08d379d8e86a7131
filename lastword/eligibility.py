"""Which post may become the status: pure functions with reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Self

import regex

from lastword.post import PUBLIC, Post
from lastword.span import format_span
from lastword.words import comparable, found_in
from models import Account

MAX_AGE = timedelta(days=30)
OPT_OUT = "nostatus"
"""Of the settings, unless they say otherwise."""

_LOOKED_AT = 200
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a source has for an account.

    Attributes:
        post: the newest eligible post, or None.
        why: why there is none; for people, without any text of a post or address of a user.
        notice: what the owner should know about the source itself, such as that it has moved.
        newest: when the newest post was written, eligible or not (aware); None: not known.
    """

    post: Post | None
    why: str = ""
    notice: str = ""
    newest: datetime | None = field(default=None, compare=False)

    def to_memory(self) -> dict[str, Any]:
        """Return the choice as JSON values, for an account's source memory."""
        memory = {"post": self.post.to_memory() if self.post else None, "why": self.why}
        return memory | ({"newest": self.newest.isoformat()} if self.newest else {})

    @classmethod
    def from_memory(cls, memory: dict[str, Any]) -> Self:
        """Return the choice that `to_memory` wrote, with anything beside it ignored."""
        post, newest = memory["post"], memory.get("newest")
        return cls(
            Post.from_memory(post) if post else None,
            memory.get("why", ""),
            newest=datetime.fromisoformat(newest) if newest else None,
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a post must be like to become an account's status.

    Attributes:
        now: the present moment (aware).
        max_age: a post older than this is not published, but one that stands already stays.
        expires_after: after this, even a status that stands is stale, and is cleared.
        opt_out: a post with this tag (without the #) is left alone.
        only: words and #tags of which a post must have one; empty: any post will do.
        never: words and #tags that a post must not have.
        standing: id of the post that was published last, or None; one whose status was cleared
            counts only where statuses expire, so that it does not come back.
        since: when it was published (aware); for expiry where the post has no time of its own.
    """

    now: datetime
    max_age: timedelta = MAX_AGE
    expires_after: timedelta | None = None
    opt_out: str = OPT_OUT
    only: frozenset[str] = field(default_factory=frozenset)
    never: frozenset[str] = field(default_factory=frozenset)
    standing: str | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, account: Account, *, now: datetime, max_age: timedelta, opt_out: str) -> Self:
        """Return an account's rules; `max_age` and `opt_out` are those of the settings."""
        stands = account.published_status is not None
        return cls(
            now=now,
            max_age=account.max_age or max_age,
            expires_after=account.expires_after,
            opt_out=opt_out,
            only=words(account.only),
            never=words(account.never),
            standing=account.published_post_id if stands or account.expires_after else None,
            since=account.published_at,
        )

    def fault(self, post: Post) -> str | None:
        """Return what is wrong with a post (`is a reply`), or None where it may be the status."""
        if post.visibility not in PUBLIC:
            return "is not public"
        if post.reply:
            return "is a reply"
        if post.repost:
            return "is a repost"
        return self._fault_of_age(post) or self._fault_of_words(post)

    def choose(self, posts: Iterable[Post]) -> Choice:
        """Return the first of the posts, given from the newest on, that may become the status.

        Only as many are looked at as are needed; 200 at most.
        """
        faults, newest = list[str](), None
        for post in islice(posts, _LOOKED_AT):
            newest = newest if faults else post.time
            fault = self.fault(post)
            if fault is None:
                return Choice(post, newest=newest)
            faults.append(fault)
        return Choice(None, _none(faults[0]) if faults else "there is no post", newest=newest)

    def again(self, choice: Choice) -> Choice:
        """Return an earlier choice as it stands now: time passes even where no post is written.

        Only for a source that has not changed: what was eligible can but have become too old,
        and so has everything before it.
        """
        fault = self.fault(choice.post) if choice.post else None
        return replace(choice, post=None, why=_none(fault)) if fault else choice

    def may_follow(self, posts: Sequence[Post]) -> bool:
        """Tell whether posts before these, of which none will do, are worth a look.

        Where all are too old, so are those before them; but one that stands may stay.

        Args:
            posts: in any order.
        """
        return not posts or not all(self._is_beyond(post.time) for post in posts)

    def has_expired(self, time: datetime | None) -> bool:
        """Tell whether a status of a post of that time is stale."""
        return bool(self.expires_after and time and self.now - time > self.expires_after)

    def _is_beyond(self, time: datetime | None) -> bool:
        is_old = self.standing is None and time is not None and self.now - time > self.max_age
        return is_old or self.has_expired(time)

    def _fault_of_age(self, post: Post) -> str | None:
        stands = post.id == self.standing
        if self.has_expired(post.time or (self.since if stands else None)):
            return "has expired"
        if not stands and post.time and self.now - post.time > self.max_age:
            return f"is older than {format_span(self.max_age)}"
        return None

    def _fault_of_words(self, post: Post) -> str | None:
        text = comparable(f"{post.text}\n{post.warning or ''}")
        found = _words_of(text, post.tags)
        if comparable(f"#{self.opt_out}") in found:
            return f"carries #{self.opt_out}"
        if self.only and not _has_any(self.only, found, text):
            return "has none of the words asked for"
        if _has_any(self.never, found, text):
            return "has a word that was ruled out"
        return None


def words(text: str) -> frozenset[str]:
    """Return the words and #tags of an account's filter, as they are compared.

    Args:
        text: words and #tags with commas between them, as `lastword.wiring` has checked them.
    """
    return frozenset(filter(None, (comparable(one).strip() for one in text.split(","))))


def _words_of(text: str, tags: Iterable[str]) -> set[str]:
    """Return the words and #tags; each tag counts as a word, too."""
    found = found_in(text)
    listed = {f"#{comparable(tag).lstrip('#')}" for tag in tags}
    tagged = listed | {word for word in found if word.startswith("#")}
    return found | tagged | {tag[1:] for tag in tagged}


def _has_any(wanted: frozenset[str], found: set[str], text: str) -> bool:
    # Where words are written without spaces between them, one is looked for anywhere.
    return any(word in found or (_UNSPACED.search(word) and word in text) for word in wanted)


def _none(fault: str) -> str:
    return f"no eligible post: the newest {fault}"
