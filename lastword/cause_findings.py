"""What a run shows of causes: which it sees, and which it sees no more."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from lastword.cause_facts import REFUSED, Cause, Facts, Kind, Standing
from lastword.errors import HolderAway
from models import Health, OutcomeKind

MANY = 5
"""So many accounts of one server are a matter of the server; or half of all, where all are few."""
LATE = timedelta(minutes=5)
"""A run that began later than planned by more than this is late."""

_OF_ACCOUNTS = frozenset(
    {Kind.HOST_DOWN, Kind.HOST_GONE, Kind.FAILURES, Kind.DEGRADED, Kind.HOLDER_DEAD}
)
_OF_OWNERS = frozenset({Kind.HOST_REFUSES, Kind.NEEDS_OWNER})


@dataclass(frozen=True, slots=True)
class Sighting:
    """A cause as one run sees it."""

    kind: Kind
    about: str
    host: str | None = None
    accounts: frozenset[int] = frozenset()
    says: str = ""

    @property
    def key(self) -> str:
        """Kind and what it is about."""
        return f"{self.kind}:{self.about}" if self.about else self.kind.value


def sightings(facts: Facts, open_causes: Collection[Cause]) -> list[Sighting]:
    """Return what a run sees, servers before accounts: who is inhibited depends on that."""
    of_hosts = [*_down(facts), *_refusing(facts, open_causes), *_gone(facts)]
    explained = {one for seen in of_hosts for one in seen.accounts}
    explained |= {one for cause in open_causes if cause.host for one in cause.accounts}
    return [
        *of_hosts,
        *_systemic(facts),
        *_owners(facts, explained),
        *_failures(facts, explained),
        *_of_runs(facts),
    ]


def is_over(cause: Cause, facts: Facts) -> bool | None:
    """Tell whether a run that does not see a cause shows that it is over; None: it cannot tell."""
    if cause.kind in _OF_OWNERS:
        return not still_waiting(cause, facts)
    if cause.kind in _OF_ACCOUNTS:
        met = [one for one in facts.standings if one.in_run and one.id in cause.accounts]
        if not met:
            # All of them were removed or paused: nothing is left that could be well again.
            return None if any(one.id in cause.accounts for one in facts.standings) else True
        return 2 * sum(one.is_well for one in met) > len(met)
    if cause.kind is Kind.DRIFT:
        return None if facts.drift is None else True
    if cause.kind is Kind.LATE:
        return None if facts.late is None else True
    return True if facts.is_whole and facts.due else None


def still_waiting(cause: Cause, facts: Facts) -> list[Standing]:
    """Return the accounts of a cause that still wait for their owner."""
    return [
        one
        for one in facts.standings
        if one.id in cause.accounts and (one.health is Health.NEEDS_OWNER or _untried(one))
    ]


def _untried(one: Standing) -> bool:
    """Tell an account that its owner has changed, and no run has tried since."""
    return not one.in_run and one.error in REFUSED


def _are_many(accounts: Collection[Standing], facts: Facts) -> bool:
    return len(accounts) >= MANY or 2 * len(accounts) >= facts.active


def _by_host(
    facts: Facts, concerns: Callable[[Standing], bool]
) -> Iterator[tuple[str, list[Standing]]]:
    """Give the servers for most of whose accounts something is so."""
    found = defaultdict[str, list[Standing]](list)
    for one in facts.standings:
        if one.host and concerns(one):
            found[one.host].append(one)
    for host, met in found.items():
        # In this order: of thousands of servers few have that many, and all accounts are counted.
        if _are_many(met, facts) and len(met) > _served(facts, host):
            yield host, met


def _served(facts: Facts, host: str) -> int:
    return sum(one.in_run and one.was_served_by(host) for one in facts.standings)


def _down(facts: Facts) -> Iterator[Sighting]:
    for host, met in _by_host(facts, lambda one: one.in_run and one.waits_for_host):
        yield Sighting(Kind.HOST_DOWN, host, host, _ids(met), _said(met))


def _refusing(facts: Facts, open_causes: Iterable[Cause]) -> Iterator[Sighting]:
    known = {
        one for cause in open_causes if cause.kind is Kind.NEEDS_OWNER for one in cause.accounts
    }
    waiting = Health.NEEDS_OWNER
    new = _by_host(facts, lambda one: one.health is waiting and one.id not in known)
    for host, met in new:
        yield Sighting(Kind.HOST_REFUSES, host, host, _ids(met), _said(met))


def _gone(facts: Facts) -> Iterator[Sighting]:
    for host, met in _by_host(facts, lambda one: one.in_run and one.health is Health.GONE):
        yield Sighting(Kind.HOST_GONE, host, host, _ids(met), _said(met))


def _systemic(facts: Facts) -> Iterator[Sighting]:
    for what, said in facts.troubles.items():
        yield Sighting(Kind.SYSTEMIC, what or "everything", says=said)
    away = [one for one in facts.standings if one.in_run and one.error == HolderAway.__name__]
    if away:
        yield Sighting(Kind.HOLDER_DEAD, "", accounts=_ids(away), says=_said(away))


def _owners(facts: Facts, explained: Collection[int]) -> Iterator[Sighting]:
    for one in facts.standings:
        if one.health is Health.NEEDS_OWNER and one.id not in explained:
            about = str(one.id)
            yield Sighting(Kind.NEEDS_OWNER, about, accounts=frozenset({one.id}), says=one.reason)


def _failures(facts: Facts, explained: Collection[int]) -> Iterator[Sighting]:
    """See the failures that no server and no waiting owner explains."""
    if not facts.is_whole or not facts.due or facts.troubles:
        return
    failed = [
        one
        for one in facts.standings
        if one.in_run
        and one.kind is OutcomeKind.FAILED
        and one.id not in explained
        and one.health is not Health.NEEDS_OWNER
        and one.error != HolderAway.__name__
    ]
    number = len(failed) + facts.without_outcome
    if number > facts.threshold * facts.due:
        yield Sighting(Kind.FAILURES, "", accounts=_ids(failed), says=facts.judged.message)
    elif number and facts.judged.state == "Degraded":
        yield Sighting(Kind.DEGRADED, "", accounts=_ids(failed), says=facts.judged.message)


def _of_runs(facts: Facts) -> Iterator[Sighting]:
    if facts.drift:
        yield Sighting(Kind.DRIFT, "", says=facts.drift)
    if facts.late is not None and facts.late > LATE:
        minutes = int(facts.late.total_seconds() // 60)
        yield Sighting(Kind.LATE, "", says=f"the latest began {minutes} min after its time")


def _ids(standings: Iterable[Standing]) -> frozenset[int]:
    return frozenset(one.id for one in standings)


def _said(standings: Iterable[Standing]) -> str:
    """Return the reason that most give, of those that say more than that nobody was asked."""
    reasons = Counter(one.reason for one in standings if one.kind is not OutcomeKind.DEFERRED)
    reasons = reasons or Counter(one.reason for one in standings)
    return min(reasons, key=lambda reason: (-reasons[reason], reason))
