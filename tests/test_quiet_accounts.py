"""Who writes rarely is looked at rarely, where that is wished, and in a turn of their own."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword import runs
from lastword.eligibility import Choice, Rules
from lastword.errors import Deferred
from lastword.health import EVERY, waits_until
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.quiet_accounts import LONGEST, quiet_until
from lastword.record import record
from lastword.rewire import rewire
from lastword.runs import Which
from lastword.upcoming import upcoming
from lastword.wiring import Wiring
from models import Account, OutcomeKind
from models.database import Database
from models.types import now

NOW = datetime(2026, 3, 1, 12, 17, tzinfo=UTC)
WEEK, DAY = timedelta(weeks=1), timedelta(days=1)


def runs_between_looks(age: timedelta, seed: int, after: timedelta | None = WEEK) -> int:
    """Return how many runs an account waits once its turn has come round."""
    moment = NOW
    for _ in range(2):  # the first wait is only to its turn
        until = quiet_until(NOW - age, now=moment, after=after, seed=seed)
        waited = 1
        while until and waits_until(until, moment + waited * EVERY):
            waited += 1
        moment += waited * EVERY
    return waited


@pytest.mark.parametrize(
    ("days", "every"), [(0, 1), (6, 1), (7, 2), (13, 2), (14, 3), (70, 11), (77, 12), (900, 12)]
)
def test_the_longer_nothing_came_the_longer_the_wait(days: int, every: int) -> None:
    for seed in range(1, 40):
        assert runs_between_looks(days * DAY, seed) == every


def test_off_and_unknown_mean_at_every_run() -> None:
    assert runs_between_looks(900 * DAY, 5, after=None) == 1
    assert quiet_until(None, now=NOW, after=WEEK, seed=1) is None
    assert quiet_until(NOW + DAY, now=NOW, after=WEEK, seed=1) is None


def test_they_are_spread_over_the_runs() -> None:
    due = Counter(
        quiet_until(NOW - 900 * DAY, now=NOW, after=WEEK, seed=seed) for seed in range(1_200)
    )
    assert set(due.values()) == {100}


@given(
    age=st.timedeltas(timedelta(0), timedelta(days=9_999)),
    after=st.timedeltas(timedelta(seconds=1), timedelta(days=99)),
    seed=st.integers(1),
)
def test_nobody_is_looked_at_more_rarely_than_every_six_hours(
    age: timedelta, after: timedelta, seed: int
) -> None:
    until = quiet_until(NOW - age, now=NOW, after=after, seed=seed)
    assert until is None or NOW < until <= NOW + LONGEST
    assert waits_until(until, NOW) == until


def test_the_newest_post_counts_whether_it_may_be_the_status_or_not() -> None:
    rules = Rules(now=NOW, max_age=WEEK)
    reply, old = NOW - DAY, NOW - 30 * DAY
    answer = Post(id="2", text="a", time=reply, reply=True)
    assert rules.choose([answer, Post(id="1", text="b", time=old)]).newest == reply
    choice = rules.choose([Post(id="1", text="b", time=old)])
    assert (choice.post, choice.newest) == (None, old)
    again = rules.again(Choice.from_memory(choice.to_memory()))
    assert (again, again.newest) == (choice, old)


async def test_it_is_kept_with_the_account_and_told(database: Database) -> None:
    account = Account(name="alice", source="feed:https://a.example/f", jid="a@chat.example")
    async with database.writing() as session:
        session.add(account)

    async def after(outcome: Outcome, **changes: object) -> Account:
        async with database.writing() as session:
            saved = await session.get_one(Account, account.id)
            for column, value in changes.items():
                setattr(saved, column, value)
        run_id = await runs.begin(database, Which.DUE, 1, None)
        await record(database, run_id, saved, outcome, 0, quiet_after=timedelta(seconds=1))
        async with database.session() as session:
            return await session.get_one(Account, account.id)

    old = Post(id="1", text="x", time=now() - 90 * DAY)
    unchanged = Outcome(OutcomeKind.UNCHANGED, "nothing new", post=old)
    quiet = await after(unchanged)
    # Of its twelve turns one is the next run's.
    if quiet.due_at is not None:
        assert upcoming(quiet, now(), now() - EVERY / 2).endswith("; its newest post is old")
    skipped = Outcome(OutcomeKind.SKIPPED, "too old", newest=old.time)
    assert (await after(skipped)).due_at == quiet.due_at
    assert (await after(Outcome(OutcomeKind.SKIPPED, "there is no post"))).due_at is None
    limited = await after(Outcome.of_error(Deferred("limit", now() + DAY / 2)))
    assert limited.due_at is not None
    assert "old" not in upcoming(limited, now(), None)

    lingering = f"{(now() + timedelta(hours=2)).isoformat()} sealed"
    assert (await after(unchanged, session_memory=lingering)).due_at is None
    stands = {"session_memory": None, "published_status": "x", "published_at": now()}
    soon = await after(unchanged, **stands, expires_after=90 * DAY + timedelta(seconds=1))
    assert soon.due_at is None or soon.due_at <= now() + timedelta(seconds=1)


def test_a_changed_wiring_is_looked_at_at_once() -> None:
    account = Account(
        id=1, name="a", source="feed:https://a.example/f", jid="a@chat.example", due_at=NOW
    )
    assert rewire(account, replace(Wiring.of(account), template="Now: {text}"))
    assert account.due_at is None
