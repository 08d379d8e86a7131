"""What hosts say of their limits, in every tongue, and what is made of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.errors import Deferred
from lastword.sources import allowance
from lastword.sources.allowance import LONGEST_WAIT, Allowance, Meter, reset_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = "social.example"


class Clock:
    """Moved by hand: nobody waits for five minutes."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(allowance, "now", clock)
    return clock


def told(limit: object, remaining: object, seconds: float) -> dict[str, str]:
    """Return headers as Bluesky sends them, with a reset that lies so far from noon."""
    reset = int((NOON + timedelta(seconds=seconds)).timestamp())
    said = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"ratelimit-{name}": str(value) for name, value in said.items()}


def ask(meter: Meter, answer: Mapping[str, str]) -> None:
    """Make one request, answered with these headers."""
    meter.take()
    meter.learn(answer)
    meter.release()


def left(meter: Meter, most: int = 1_000) -> int:
    """Use up what a meter allows, and return how much it was; `most` stands for no limit."""
    for number in range(most):
        try:
            meter.take()
        except Deferred:
            return number
        meter.release()
    return most


def refused(meter: Meter) -> Deferred:
    with pytest.raises(Deferred) as caught:
        meter.take()
    return caught.value


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("reset", "expected"),
    [
        ("2026-03-01T12:05:00.000000Z", 300),  # Mastodon
        ("2026-03-01T13:05:00+01:00", 300),
        ("2026-03-01T12:05:00", 300),
        (str(int(NOON.timestamp()) + 900), 900),  # X and Bluesky
        (str(int(NOON.timestamp() * 1000) + 900_999), 900),  # those who count in milliseconds
        ("60", 60),  # GitLab's and many proxies'
        (" 60 ", 60),
        ("0", 0),
        ("2026-03-01T11:00:00Z", 0),
        (str(int(NOON.timestamp()) - 900), 0),
        ("2099-01-01T00:00:00Z", LONGEST_WAIT.total_seconds()),
        ("999999999", LONGEST_WAIT.total_seconds()),
    ],
)
@pytest.mark.parametrize("prefix", ["X-RateLimit", "x-rate-limit", "RateLimit"])
def test_reset(prefix: str, reset: str, expected: float) -> None:
    headers = {f"{prefix}-Reset".lower(): reset}
    assert reset_of(headers) == NOON + timedelta(seconds=expected)


@pytest.mark.parametrize(
    "reset",
    ["", " ", "soon", "-5", "1.5", "²", "60, 60", "2026-13-01", "\0", "0x10", "9" * 400],
    ids=lambda reset: repr(reset[:12]),
)
def test_a_reset_that_is_nonsense_is_none(reset: str) -> None:
    assert reset_of({"ratelimit-reset": reset}) is None
    assert reset_of({}) is None


@given(st.text() | st.datetimes(timezones=st.just(timezone(timedelta(hours=-23)))).map(str))
def test_any_reset_lies_within_a_day_or_is_none(reset: str) -> None:
    before = datetime.now(UTC)
    found = reset_of({"ratelimit-reset": reset})
    assert found is None or before <= found <= datetime.now(UTC) + LONGEST_WAIT


def test_what_is_assumed_holds_until_the_host_speaks(clock: Clock) -> None:
    meter = Meter(PLACE, Allowance(requests=3, seconds=300))
    assert left(meter) == 3
    error = refused(meter)
    assert str(error) == f"{PLACE} allows no more requests for now"
    assert error.until == NOON + timedelta(seconds=300)
    clock.passes(300)
    assert left(meter) == 3


@pytest.mark.usefixtures("clock")
def test_nothing_is_assumed_of_a_host_of_no_kind() -> None:
    assert left(Meter(PLACE, None)) == 1_000


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("assumed", [None, Allowance(requests=3, seconds=300)])
def test_the_hosts_own_words_count(assumed: Allowance | None) -> None:
    meter = Meter(PLACE, assumed)
    ask(meter, told(10, 4, 120))
    assert left(meter) == 4
    assert refused(meter).until == NOON + timedelta(seconds=120)


@pytest.mark.usefixtures("clock")
def test_nothing_left() -> None:
    meter = Meter(PLACE, None)
    ask(meter, told(300, 0, 120))
    assert left(meter) == 0


@pytest.mark.usefixtures("clock")
def test_those_under_way_are_counted_too() -> None:
    meter = Meter(PLACE, Allowance(requests=300, seconds=300))
    for _ in range(8):
        meter.take()
    meter.learn(told(10, 9, 120))  # it has seen the first of eight
    assert left(meter) == 2


@pytest.mark.usefixtures("clock")
def test_what_others_use_up_is_counted_too() -> None:
    meter = Meter(PLACE, None)
    for remaining in (9, 5):
        ask(meter, told(10, remaining, 120))
    assert left(meter) == 5


def test_a_new_window_of_the_hosts_gives_all_back(clock: Clock) -> None:
    meter = Meter(PLACE, None)
    ask(meter, told(10, 1, 120))
    assert left(meter) == 1
    clock.passes(121)
    ask(meter, told(10, 9, 240))
    assert left(meter) == 9
    assert refused(meter).until == NOON + timedelta(seconds=240)


@pytest.mark.parametrize("assumed", [None, Allowance(requests=300, seconds=300)])
def test_a_host_whose_clock_is_ahead_gives_all_back_too(
    clock: Clock, assumed: Allowance | None
) -> None:
    """Its new window begins before the old one ends by our clock."""
    meter = Meter(PLACE, assumed)
    ask(meter, told(10, 2, 120))
    clock.passes(110)
    ask(meter, told(10, 9, 420))
    assert left(meter) == 9


def test_a_window_that_slides_gives_back_little_by_little(clock: Clock) -> None:
    """Seconds until all is back, told with each answer: the reset never comes, but moves on."""
    meter = Meter(PLACE, None)
    for _ in range(100):
        ask(meter, {"ratelimit-limit": "10", "ratelimit-remaining": "7", "ratelimit-reset": "60"})
        clock.passes(1)


def test_a_reset_that_wavers_begins_no_new_window(clock: Clock) -> None:
    """Told in whole seconds from now, the same moment is half a second earlier or later."""
    meter = Meter(PLACE, Allowance(requests=300, seconds=300))
    for _ in range(8):
        meter.take()
    for seconds in ("60", "61", "60"):
        meter.learn(
            {"ratelimit-limit": "10", "ratelimit-remaining": "9", "ratelimit-reset": seconds}
        )
        clock.passes(0.5)
    assert left(meter) == 2


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_window_of_a_second(clock: Clock, seconds: int) -> None:
    meter = Meter(PLACE, None)
    ask(meter, told(5, 0, seconds))
    assert left(meter) == 0
    clock.passes(seconds)
    assert left(meter) > 0


NONSENSE: list[Mapping[str, str]] = [
    {},
    told(0, 0, 120),  # it has just answered
    told("", 0, 120),
    told(-1, 0, 120),
    told(10, -1, 120),
    told("10, 10;w=60", 0, 120),
    told("many", "few", 120),
    told("²", "²", 120),
    told(10, 0, 120) | {"ratelimit-reset": "soon"},
    {"ratelimit-limit": "10", "ratelimit-remaining": "0"},
    {"ratelimit-remaining": "0", "ratelimit-reset": "60"},
    {"ratelimit": '"default";r=0;t=60'},
]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("headers", NONSENSE, ids=str)
def test_nonsense_changes_nothing(headers: Mapping[str, str]) -> None:
    assumed, nothing = Meter(PLACE, Allowance(requests=3, seconds=300)), Meter(PLACE, None)
    for meter in (assumed, nothing):
        ask(meter, headers)
    assert left(assumed) == 2
    assert left(nothing) == 1_000


@pytest.mark.usefixtures("clock")
def test_more_left_than_there_is() -> None:
    meter = Meter(PLACE, None)
    ask(meter, told(10, 99, 120))
    assert left(meter) <= 10


@given(st.dictionaries(st.sampled_from([*told(1, 1, 1), "x-ratelimit-limit"]), st.text()))
def test_any_headers(headers: dict[str, str]) -> None:
    meter = Meter(PLACE, Allowance(requests=3, seconds=300))
    meter.learn(headers)
    assert left(meter, 5) <= 5


def test_closed_until(clock: Clock) -> None:
    meter = Meter(PLACE, None)
    meter.close(NOON + timedelta(seconds=60))
    assert refused(meter).until == NOON + timedelta(seconds=60)
    clock.passes(60)
    meter.take()


@pytest.mark.parametrize("until", [None, NOON, NOON - timedelta(days=9999)])
def test_closed_until_no_moment_to_come_means_five_minutes(
    clock: Clock, until: datetime | None
) -> None:
    meter = Meter(PLACE, None)
    meter.close(until)
    clock.passes(299)
    assert refused(meter).until == NOON + timedelta(minutes=5)
    clock.passes(1)
    meter.take()


def test_the_latest_closing_holds(clock: Clock) -> None:
    meter = Meter(PLACE, None)
    for seconds in (60, 3600, 1):
        meter.close(NOON + timedelta(seconds=seconds))
    assert refused(meter).until == NOON + timedelta(hours=1)
    clock.passes(3600)
    meter.take()


def test_an_answer_of_those_under_way_opens_nothing(clock: Clock) -> None:
    meter = Meter(PLACE, None)
    meter.close(NOON + timedelta(seconds=60))
    meter.learn(told(10, 9, 120))
    clock.passes(59)
    assert refused(meter).until == NOON + timedelta(seconds=60)
