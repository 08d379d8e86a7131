"""The people of the demo: made up, always the same, and many where many are wanted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from demo.words import NAMES, PHRASES, TITLES, TOPICS

KINDS = ("atom", "json", "mastodon")
# Recent enough that nothing is too old to be published, yet not in the future.
_BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=17)
_SPECIAL_FROM = 4


@dataclass(frozen=True, slots=True)
class Written:
    """Something that a person wrote.

    Attributes:
        number: unique among all people's, the greater the later.
        text: plain, one line.
        time: when.
        warning: content warning, or nothing.
        visibility: as Mastodon calls it; feeds show only what is public.
        reply: whether it answers somebody.
        boost: whether somebody else wrote it.
        titled: whether it has a title, which is then `text`, above a longer article.
    """

    number: int
    text: str
    time: datetime
    warning: str = ""
    visibility: str = "public"
    reply: bool = False
    boost: bool = False
    titled: bool = False

    @property
    def is_eligible(self) -> bool:
        return self.visibility in ("public", "unlisted") and not (self.reply or self.boost)


@dataclass(slots=True)
class Person:
    """Somebody who writes posts and has a chat account.

    Attributes:
        name: unique, fit for JIDs and URLs.
        kind: what they write on: `atom`, `json` or `mastodon`.
        posts: newest first.
        wrong_password: the password that Last Word is given is not theirs.
        gone: their feed has been deleted for good.
        silent: their host accepts connections and never answers.
        is_trusting: they gave no password, and leave it to their server's operator.
    """

    name: str
    kind: str
    posts: list[Written] = field(default_factory=list)
    wrong_password: bool = False
    gone: bool = False
    silent: bool = False
    is_trusting: bool = False

    @property
    def publisher(self) -> str:
        """On whose authority their status is set."""
        return "operator" if self.is_trusting else "login"

    @property
    def broken(self) -> bool:
        return self.wrong_password or self.gone or self.silent

    @property
    def ailment(self) -> str:
        """What is wrong with them, in words."""
        if self.gone:
            return "the feed was deleted"
        if self.wrong_password:
            return "the password is not theirs"
        return "the host never answers" if self.silent else ""

    @property
    def symptom(self) -> str:
        """Words that must stand in the reason of their failure."""
        if self.gone:
            return "410 Gone"
        if self.wrong_password:
            return "refused the password"
        return "did not answer within" if self.silent else ""

    @property
    def expected(self) -> str | None:
        """What their status must become: the newest eligible text, or the warning before it."""
        if self.gone or self.silent:
            return None
        newest = next(post for post in self.posts if post.is_eligible)
        return newest.warning or newest.text

    def write(self, text: str, **more: Any) -> None:  # noqa: ANN401
        """Let the person publish something newer than all else; `more` as in `Written`."""
        last = self.posts[0]
        later = last.time + timedelta(minutes=1)
        self.posts.insert(0, Written(last.number + 1, text, later, **more))


def people(count: int) -> list[Person]:
    """Return that many people: a third write on Atom, a third JSON Feed, a third Mastodon.

    From four on, three are broken on purpose, at fixed places.
    """
    crowd = [_person(place) for place in range(count)]
    if count >= _SPECIAL_FROM:
        crowd[1].gone = True
        crowd[2].wrong_password = True
        crowd[3].silent = True
    return crowd


def _person(place: int) -> Person:
    rounds, index = divmod(place, len(NAMES))
    name = NAMES[index] + (str(rounds + 1) if rounds else "")
    person = Person(name, KINDS[place % len(KINDS)], is_trusting=place % 2 == 1)
    luck = Random(place)  # noqa: S311  # the same people every time
    texts = [_text(luck) for _ in range(luck.randint(3, 6))]
    time = _BEGIN + timedelta(minutes=luck.randint(0, 10_000))
    for number, text in enumerate(texts):
        time += timedelta(minutes=luck.randint(20, 2_000))
        titled = person.kind != "mastodon" and luck.random() < 0.5  # noqa: PLR2004
        person.posts.insert(0, Written(place * 100 + number, text, time, titled=titled))
    if person.kind == "mastodon":
        _add_what_must_not_be_published(person, place // len(KINDS), luck)
    return person


def _text(luck: Random) -> str:
    if luck.random() < 0.5:  # noqa: PLR2004
        return luck.choice(PHRASES)
    return luck.choice(TITLES).format(luck.choice(TOPICS))


def _add_what_must_not_be_published(person: Person, place: int, luck: Random) -> None:
    """Put newer things before the eligible post, so that choosing is shown."""
    if place % 4 == 0:
        person.write(
            "And then the butler turns out to be the murderer!",
            warning="Spoilers for last night's episode",
        )
    extras: list[dict[str, Any]] = [{"reply": True}, {"boost": True}, {"visibility": "private"}]
    for extra in luck.sample(extras, place % (len(extras) + 1)):
        person.write(f"Not for a status: {luck.choice(PHRASES)}", **extra)
