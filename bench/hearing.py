"""What operators hear over a month: each cause once, its end once, and seldom that it lasts."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from lastword import cause_store
from lastword.cause_facts import Cause, Change, Facts, Kind, News
from lastword.causes import judge
from lastword.health import EVERY
from lastword.runs import Tally
from lastword.services import Services
from lastword.verdict import verdict
from models.types import now

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run that ended, for whoever listens (alerts, say): its rows are in the database."""

    id: int
    started_at: datetime
    tally: Tally
    state: str


Listener = Callable[[Services, RunSeen], Awaitable[None]]


@dataclass
class Operator:
    """Listens to a month; every message counts.

    Attributes:
        active: how many accounts there are.
        told: each message, and when it came.
    """

    active: int
    told: list[tuple[datetime, News]] = field(default_factory=list)
    _causes: list[Cause] = field(default_factory=list)
    _owners: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def listen(self, services: Services, seen: RunSeen) -> None:
        """Judge a run as the flow does."""
        threshold = services.settings.failure_threshold
        troubles = {what: str(trouble) for what, trouble in services.troubles.items()}
        trouble = "; ".join(troubles.values()) or None
        facts = Facts(
            now=now(),
            judged=verdict(seen.tally, threshold=threshold, trouble=trouble),
            due=seen.tally.due,
            without_outcome=seen.tally.without_outcome,
            threshold=threshold,
            active=self.active,
            standings=await cause_store.standings(services.database, seen.id, self._causes),
            troubles=troubles,
            spacing=EVERY,
        )
        before = {cause.key: cause for cause in self._causes}
        self._causes, news = judge(facts, self._causes)
        self.told += [(facts.now, one) for one in news]
        for cause in self._causes:
            known = before.get(cause.key)
            if cause.kind is Kind.NEEDS_OWNER and cause.told_at and not (known and known.told_at):
                self._owners[cause.key] += 1

    def kinds(self) -> list[tuple[str, int]]:
        """Return how many messages there were, by what they told."""
        return sorted(Counter(f"{it.kind}.{it.change}" for _, it in self.told).items())

    def troubles(self) -> list[str]:
        """Return what was heard too often, too seldom or not at all, one line for each."""
        by_key = defaultdict[str, list[tuple[datetime, Change]]](list)
        for moment, news in self.told:
            by_key[news.key].append((moment, news.change))
        found = [] if self.told else ["nobody was told of anything"]
        for key, heard in by_key.items():
            found += [f"{key}: {trouble}" for trouble in self._of(key, heard)]
        # Of all whose refusals came in one run there is one message: each is in one.
        found += [f"{key}: told {times} times" for key, times in self._owners.items() if times > 1]
        return found

    def _of(self, key: str, heard: Sequence[tuple[datetime, Change]]) -> Iterator[str]:
        if len(set(heard)) < len(heard):
            yield "told twice by one run"
        reminded = [moment for moment, change in heard if change is Change.REMINDER]
        if key == Kind.NEEDS_OWNER.value:
            if any(late - early < WEEK for early, late in pairwise(reminded)):
                yield "reminded of within a week"
            return
        if any(late[0] - early[0] < DAY for early, late in pairwise(heard) if late[0] in reminded):
            yield "reminded of within a day"
        ends = [change for _, change in heard if change is not Change.REMINDER]
        wanted = [Change.OPENED, Change.ENDED] * len(ends)
        if ends != wanted[: len(ends)]:
            yield "not told and ended by turns"
        lasts = any(cause.key == key and cause.told_at for cause in self._causes)
        if lasts is not (ends[-1:] == [Change.OPENED]):
            yield "lasts, and its end was told" if ends[-1:] == [Change.ENDED] else "ended unheard"
