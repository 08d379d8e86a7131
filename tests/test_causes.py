"""Operators hear of a cause once, not of its accounts; with a clock in hand, over many runs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from lastword.cause_facts import Cause, Change, Facts, Kind, News, Standing
from lastword.causes import judge
from lastword.runs import Tally
from lastword.verdict import Verdict, verdict
from models import Health, OutcomeKind

BEGIN = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
EVERY = timedelta(minutes=30)
DAY_OF_RUNS = 48

CHAT = "chat.example"


@cache
def _well(number: int) -> Standing:
    return account(number)


def account(number: int, **changes: Any) -> Standing:  # noqa: ANN401
    """Return an account of chat.example whose posts are on a host of its own, and unchanged."""
    standing = Standing(
        id=number,
        name=f"user{number:03}",
        in_run=True,
        kind=OutcomeKind.UNCHANGED,
        source_host=f"blog{number}.example",
        jid_host=CHAT,
    )
    return replace(standing, **changes)


PUBLISHED = {"kind": OutcomeKind.PUBLISHED}
DOWN = {
    "kind": OutcomeKind.DEFERRED,
    "error": "Deferred",
    "host": CHAT,
    "reason": f"{CHAT} is down (5 failures in a row): asked again in the next run",
}
UNANSWERED = {
    "kind": OutcomeKind.FAILED,
    "error": "Transient",
    "host": CHAT,
    "reason": f"{CHAT} does not answer",
    "health": Health.FAILING,
}
REFUSED = {
    "kind": OutcomeKind.FAILED,
    "error": "LoginRefused",
    "host": CHAT,
    "reason": f"{CHAT} refused the password: set the right one with `lastword accounts edit`",
    "health": Health.NEEDS_OWNER,
}
# After the run that it was refused in, nothing tries it.
WAITING = REFUSED | {"in_run": False}
LIMITED = DOWN | {"is_limited": True, "reason": f"{CHAT} allows no more requests for now"}


class Clock:
    """Runs in a row, half an hour apart, and what operators are told."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.causes: list[Cause] = []
        self.told: list[tuple[datetime, News]] = []

    def run(self, standings: Iterable[Standing], **more: Any) -> list[News]:  # noqa: ANN401
        accounts = list(standings)
        met = [one for one in accounts if one.in_run]
        counts = Counter(one.kind for one in met if one.kind)
        tally = Tally(len(met), dict(counts))
        facts = Facts(
            **{
                "now": self.now,
                "judged": verdict(tally, threshold=0.2, trouble=trouble(more)),
                "due": len(met),
                "standings": accounts,
                "active": len(accounts),
                **more,
            }
        )
        self.causes, news = judge(facts, self.causes)
        self.told += [(self.now, one) for one in news]
        self.now += EVERY
        return news

    def changes(self) -> list[str]:
        return [f"{one.kind} {one.change}" for _, one in self.told]


def trouble(more: Mapping[str, Any]) -> str | None:
    return "; ".join(map(str, more.get("troubles", {}).values())) or None


def crowd(size: int, special: Mapping[int, Mapping[str, Any]] | None = None) -> Iterator[Standing]:
    changes = special or {}
    return (_one(number, changes.get(number)) for number in range(size))


def _one(number: int, changes: Mapping[str, Any] | None) -> Standing:
    return replace(_well(number), **changes) if changes else _well(number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_all_is_well_for_a_day_and_nobody_hears_of_it(clock: Clock) -> None:
    for _ in range(DAY_OF_RUNS):
        clock.run(crowd(40, {3: PUBLISHED}))
    assert clock.told == []
    assert clock.causes == []


def test_a_server_with_412_accounts_is_down_for_a_day(clock: Clock) -> None:
    """Only those who have something to publish meet it: 20 of 412 in each run, and others."""
    for number in range(DAY_OF_RUNS):
        writers = {(number * 7 + one) % 412: DOWN for one in range(20)}
        writers |= {min(writers): UNANSWERED}
        clock.run(crowd(800, writers))
    for _ in range(4):
        clock.run(crowd(800, dict.fromkeys(range(412), PUBLISHED)))
    assert clock.changes() == ["host-down opened", "host-down ended"]
    (begin, opened), (_, ended) = clock.told
    assert begin == BEGIN + EVERY, "a restart of half an hour wakes nobody"
    assert opened.subject == "chat.example is out of action: 800 accounts, since 10:30 UTC"
    assert "chat.example does not answer." in opened.body
    assert "What to do: nothing, if the server is not yours" in opened.body
    assert ended.subject == "chat.example works again"
    assert "From 2026-03-01 10:30 UTC to 10:30 UTC (1 d 0 h), 48 runs missed." in ended.body


def test_it_is_down_for_three_days_with_a_reminder_a_day(clock: Clock) -> None:
    for _ in range(3 * DAY_OF_RUNS):
        clock.run(crowd(40, dict.fromkeys(range(20), DOWN)))
    assert clock.changes() == ["host-down opened", "host-down reminder", "host-down reminder"]
    assert clock.told[1][1].subject.startswith("Still: chat.example is out of action")


def test_a_server_that_comes_and_goes_sends_no_message_each_time(clock: Clock) -> None:
    for number in range(DAY_OF_RUNS):
        writers = DOWN if number % 4 < 2 or number % 4 == 3 else PUBLISHED
        clock.run(crowd(40, dict.fromkeys(range(20), writers)))
    assert clock.changes() == ["host-down opened"]


def test_one_blog_that_is_down_is_nobodys_business(clock: Clock) -> None:
    one = UNANSWERED | {"host": "blog1.example"}
    for _ in range(DAY_OF_RUNS):
        clock.run(crowd(40, {1: one}))
    assert {one.kind for _, one in clock.told} == {Kind.DEGRADED}


def test_where_all_are_few_half_of_them_are_many(clock: Clock) -> None:
    for _ in range(2):
        clock.run(crowd(3, {0: UNANSWERED, 1: UNANSWERED}))
    # A run that fails is told at once, and by its cause.
    assert clock.changes() == ["host-down opened"]
    assert clock.told[0][0] == BEGIN


def test_thousands_of_servers_that_are_down_are_counted_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def was_served_by(_: Standing, host: str) -> bool:
        asked.append(host)
        return False

    monkeypatch.setattr(Standing, "was_served_by", was_served_by)
    clock.run(
        crowd(40, {it: UNANSWERED | {"host": f"blog{it}.example"} for it in range(40)}),
    )
    assert not asked


def test_a_limit_is_no_trouble(clock: Clock) -> None:
    for _ in range(DAY_OF_RUNS):
        clock.run(crowd(40, dict.fromkeys(range(30), LIMITED)))
    assert clock.told == []


def test_a_run_that_did_not_ask_a_server_says_nothing_of_it(clock: Clock) -> None:
    down = dict.fromkeys(range(20), DOWN)
    for _ in range(2):
        clock.run(crowd(40, down))
    away = dict.fromkeys(range(20), DOWN | {"in_run": False})
    for _ in range(5):
        clock.run(crowd(40, away))
    assert clock.changes() == ["host-down opened"]


def test_a_server_that_refuses_many_is_one_message_not_many(clock: Clock) -> None:
    refused = dict.fromkeys(range(30), REFUSED)
    clock.run(crowd(40, refused))
    assert clock.changes() == ["host-refuses opened"], "its accounts and the Failed run are told"
    assert clock.told[0][1].subject == (
        "chat.example refuses accounts: 40 accounts, since 10:30 UTC"
    )
    assert "by 30 of 40 accounts: user000, user001" in clock.told[0][1].body
    for _ in range(6 * DAY_OF_RUNS):
        clock.run(crowd(40, dict.fromkeys(range(30), WAITING)))
    for left in range(29, -1, -1):
        clock.run(crowd(40, dict.fromkeys(range(left), WAITING)))
    assert clock.changes() == ["host-refuses opened", "host-refuses ended"]


def test_owners_who_are_needed_since_the_same_run_are_one_message(clock: Clock) -> None:
    clock.run(crowd(40, {1: REFUSED, 2: REFUSED} | dict.fromkeys(range(3, 9), PUBLISHED)))
    both: dict[int, Mapping[str, Any]] = {1: WAITING, 2: WAITING}
    for _ in range(DAY_OF_RUNS):
        clock.run(crowd(40, both))
    clock.run(crowd(40, {**both, 3: REFUSED} | dict.fromkeys(range(4, 9), PUBLISHED)))
    assert [one.subject for _, one in clock.told] == [
        "2 accounts need their owner",
        "user003 needs the owner",
    ]
    first = clock.told[0][1].body.splitlines()
    assert first[0] == f"user001: {REFUSED['reason']}"
    # Changed by its owner, and not tried yet: it waits to be seen well.
    clock.run(crowd(40, {**both, 2: WAITING | {"health": Health.OK}, 3: WAITING}))
    clock.run(crowd(40, {1: WAITING, 3: WAITING}))
    assert clock.told[-1][1].subject == "user002 is well again"
    for _ in range(7 * DAY_OF_RUNS):
        clock.run(crowd(40, {1: WAITING, 3: WAITING}))
    assert clock.changes()[3:] == ["needs-owner reminder"], "once a week, and all in one"
    assert clock.told[-1][1].subject == "Still: 2 accounts need their owner"


def test_an_account_that_is_removed_is_not_called_well(clock: Clock) -> None:
    clock.run(crowd(10, {9: REFUSED, 1: PUBLISHED, 2: PUBLISHED}))
    clock.run(crowd(9))
    assert clock.changes() == ["needs-owner opened"]
    assert clock.causes == []


def test_a_server_that_is_down_inhibits_what_its_accounts_would_say(clock: Clock) -> None:
    clock.run(crowd(40, dict.fromkeys(range(20), UNANSWERED)))
    clock.run(crowd(40, dict.fromkeys(range(20), UNANSWERED) | {5: REFUSED}))
    assert clock.changes() == ["host-down opened"]


def test_a_failed_run_that_no_server_explains(clock: Clock) -> None:
    def failing(number: int) -> Mapping[str, Any]:
        return UNANSWERED | {"host": f"blog{number}.example"}

    clock.run(crowd(40, {number: failing(number) for number in range(12)}))
    assert clock.changes() == ["failures opened"]
    assert clock.told[0][1].subject == "The run Failed, since 10:30 UTC"
    assert "28 Unchanged, 12 Failed: 30% failed, more than 20%." in clock.told[0][1].body
    # They back off: runs that do not try them are no sign that they are well.
    away = {number: {**failing(number), "in_run": False} for number in range(12)}
    for number in range(DAY_OF_RUNS // 2):
        again = {number: failing(number) for number in range(12)} if number % 8 == 0 else away
        clock.run(crowd(40, again))
    assert clock.changes() == ["failures opened"]
    for _ in range(2):
        clock.run(crowd(40))
    assert clock.changes() == ["failures opened", "failures ended"]


def test_a_rerun_by_hand_does_not_call_anybody(clock: Clock) -> None:
    clock.run([account(1, **UNANSWERED | {"host": "blog1.example"})], is_whole=False, active=40)
    assert clock.told == []


def test_the_dead_holder_and_what_is_systemic_have_causes_of_their_own(clock: Clock) -> None:
    troubles = {"x": "X refused our token"}
    stopped = DOWN | {"host": None, "error": "HolderAway", "reason": "the holder is not running"}
    for _ in range(3):
        clock.run(crowd(40, dict.fromkeys(range(20), stopped)), troubles=troubles)
    for _ in range(2):
        clock.run(crowd(40))
    assert sorted(clock.changes()) == [
        "holder-dead ended",
        "holder-dead opened",
        "systemic ended",
        "systemic opened",
    ]
    assert clock.told[0][1].subject == "x is out of action, since 10:30 UTC"


def test_drift_and_lateness_are_judged_where_they_were_measured(clock: Clock) -> None:
    clock.run(crowd(4), drift="of the 800 accounts of the run before, Prefect has recorded 512")
    clock.run(crowd(4))
    late = timedelta(minutes=12)
    clock.run(crowd(4), drift="", late=late)
    assert clock.changes() == ["drift opened"]
    clock.run(crowd(4), drift="", late=late)
    assert clock.changes() == ["drift opened", "late opened", "drift ended"]


def test_runs_that_end_again_say_how_many_were_missed(clock: Clock) -> None:
    news = clock.run(crowd(4), last_ended=BEGIN - timedelta(hours=5))
    assert [one.kind for one in news] == [Kind.NO_RUN]
    assert news[0].subject == "Runs complete again, after 5 h 0 min"
    assert "None did from 05:30 UTC to 10:30 UTC (5 h 0 min): 9 runs missed" in news[0].body
    assert clock.run(crowd(4), last_ended=BEGIN) == []


def test_a_server_cannot_call_the_whole_channel(clock: Clock) -> None:
    rude = DOWN | {"reason": f"{CHAT} ended the connection: “<!channel> @everyone look”"}
    for _ in range(2):
        clock.run(crowd(40, dict.fromkeys(range(20), rude)))
    body = clock.told[0][1].body
    assert "<" not in body
    assert "@everyone" not in body


def test_thirty_days_of_everything(clock: Clock) -> None:
    """One message for each cause, one when it is over, and no more than a reminder a day."""

    def standings(number: int) -> Iterator[Standing]:
        day, special = number / DAY_OF_RUNS, dict[int, Mapping[str, object]]()
        special |= dict.fromkeys(range(600, 640), PUBLISHED)
        if 2 <= day < 4:
            special |= dict.fromkeys(range(412), DOWN)
        if 10 <= day < 11:
            other = UNANSWERED | {"host": "social.example", "in_run": number % 4 == 0}
            special |= dict.fromkeys(range(500, 530), other)
        for one in range(700, 720):
            since = one - 700
            if since <= day < since + 5:
                special[one] = REFUSED if day == since else WAITING
        return (
            replace(one, source_host="social.example") if 500 <= one.id < 530 else one
            for one in crowd(800, special)
        )

    for number in range(30 * DAY_OF_RUNS):
        clock.run(standings(number))
    count = Counter((one.kind, one.change) for _, one in clock.told)
    assert count[Kind.HOST_DOWN, Change.OPENED] == count[Kind.HOST_DOWN, Change.ENDED] == 2
    assert count[Kind.HOST_DOWN, Change.REMINDER] == 1
    assert count[Kind.NEEDS_OWNER, Change.OPENED] == count[Kind.NEEDS_OWNER, Change.ENDED] == 20
    assert clock.causes == []


def test_a_verdict_says_whether_the_ledger_adds_up() -> None:
    assert verdict(Tally(2, {OutcomeKind.UNCHANGED: 2}), threshold=0.2) == Verdict(
        "Completed", "2 Unchanged"
    )
    assert not verdict(Tally(2, {OutcomeKind.UNCHANGED: 1}), threshold=0.9).adds_up
