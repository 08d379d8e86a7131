"""`lastword why` answers in few lines: what, why, when next, what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from cli.why import fitting, table_of
from lastword.diagnosis import diagnosis, figures
from lastword.eligibility import Rules
from lastword.post import Post
from models import Account, Health, LedgerEntry, OutcomeKind

NEXT = "at the next run; the last began"
WEEK = timedelta(weeks=1)
WAITING = "waiting for its owner"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def account(**changes: Any) -> Account:  # noqa: ANN401
    return Account(
        name="alice",
        source="feed:https://a.example/feed",
        jid="alice@chat.example",
        edited_at=NOW - timedelta(days=1),
        health_since=NOW - timedelta(hours=3),
        **changes,
    )


def text_of(lines: list[tuple[str, str]], about: str) -> str:
    return next(text for heading, text in lines if heading == about)


def test_an_account_that_was_never_tried() -> None:
    lines = diagnosis(account(), [], NOW)
    assert text_of(lines, "Now") == "not tried yet"
    assert text_of(lines, "Next").startswith("at the first run: `lastword up`")


def test_a_paused_account() -> None:
    lines = diagnosis(account(active=False), [], NOW)
    assert text_of(lines, "Next") == "never, while it is paused"
    assert text_of(lines, "To do") == "`lastword accounts resume alice`"


@pytest.mark.parametrize(
    ("due_in", "last_run", "text", "at"),
    [
        (None, 10, "at the next run, about 12:20 UTC", 20),
        (65, 10, "in the run at about 13:20 UTC", 80),
        (
            None,
            600,
            "at the next run; the last began 10 hours ago: is `lastword up` running?",
            None,
        ),
        (65, 600, "at the first run after 13:05 UTC", None),
        (60 * 20, 10, "in the run at about 2026-03-02 08:20 UTC", 60 * 20 + 20),
        # The clock was wrong once: the account is due.
        (60 * 9_000, 10, "at the next run, about 12:20 UTC", 20),
        (None, -600, f"{NEXT} just now: is `lastword up` running?", None),
    ],
)
def test_when_it_is_tried_next(
    due_in: int | None, last_run: int, text: str, at: int | None
) -> None:
    due_at = NOW + timedelta(minutes=due_in) if due_in else None
    waiting, began = account(due_at=due_at), NOW - timedelta(minutes=last_run)
    assert text_of(diagnosis(waiting, [], NOW, began), "Next") == text
    told = figures(waiting, [], NOW, began)["next"]
    assert told == {"at": NOW + timedelta(minutes=at) if at else None, "text": text}


@pytest.mark.parametrize(
    ("post", "rules", "words"),
    [
        ({"reply": True}, {}, "Nothing: the next public post"),
        ({"repost": True}, {}, "Nothing: the next public post"),
        ({"visibility": "private"}, {}, "Nothing: the next public post"),
        ({"time": NOW - timedelta(days=99)}, {}, "--max-age"),
        (
            {"time": NOW - timedelta(days=9)},
            {"expires_after": WEEK},
            "--expires-after",
        ),
        ({"text": "no #nostatus"}, {}, "its author wants no status"),
        ({}, {"only": frozenset({"cats"})}, "--only"),
        ({}, {"never": frozenset({"sea"})}, "--never"),
        (None, {}, "the first public post"),
    ],
)
def test_each_reason_to_skip_has_its_advice(
    post: dict[str, Any] | None, rules: dict[str, Any], words: str
) -> None:
    newest = Post(id="1", text="at the sea", time=NOW)
    posts = [] if post is None else [replace(newest, **post)]
    why = Rules(now=NOW, **rules).choose(posts).why
    skipped = account(last_outcome=OutcomeKind.SKIPPED, last_reason=why, last_at=NOW)
    assert words in text_of(diagnosis(skipped, [], NOW), "To do")


def test_a_refusal_outside_a_run() -> None:
    refused = account(
        health=Health.NEEDS_OWNER, last_error="LoginRefused", last_reason="it refused the password"
    )
    lines = diagnosis(refused, [], NOW)
    assert text_of(lines, "Last") == "outside a run: it refused the password"
    assert "--password" in text_of(lines, "To do")


@pytest.mark.parametrize("width", [80, 200])
def test_an_answer_has_twelve_lines_at_most(width: int) -> None:
    full = account(
        health=Health.FAILING,
        failures=4,
        last_outcome=OutcomeKind.FAILED,
        last_error="Transient",
        last_reason="what happened, " * 7,
        last_at=NOW,
        published_status="words " * 200,
        published_at=NOW,
        last_carrier="pep+presence",
    )
    history = [
        LedgerEntry(run_id=n, account_id=1, kind=OutcomeKind.FAILED, reason="before " * 20, at=NOW)
        for n in range(5)
    ]
    console = Console(width=width)
    lines = fitting(diagnosis(full, history, NOW), console)
    assert len(console.render_lines(table_of(lines))) <= 12
    assert {"Account", "Now", "Last", "Shown", "Next", "To do"} <= dict(lines).keys()


@pytest.mark.parametrize(
    ("health", "error", "due_at", "now", "following", "todo"),
    [
        (
            Health.NEEDS_OWNER,
            "Rejected",
            None,
            WAITING,
            "never, until",
            "edit alice",
        ),
        (Health.GONE, "Gone", NOW + timedelta(hours=21), "gone", "2026-03-02 09:00", "once a day"),
        (Health.FAILING, "Transient", None, "failing", "at the first run", "once a day"),
        (Health.OK, "Deferred", NOW + timedelta(hours=1), "well", "after 13:00 UTC", "host"),
    ],
)
def test_each_way_of_failing(
    health: Health, error: str, due_at: datetime | None, now: str, following: str, todo: str
) -> None:
    failed = account(
        health=health,
        failures=4,
        due_at=due_at,
        last_outcome=OutcomeKind.FAILED,
        last_error=error,
        last_reason="what happened",
        last_at=NOW - timedelta(minutes=5),
    )
    history = [
        LedgerEntry(run_id=n, account_id=1, kind=OutcomeKind.FAILED, reason="before", at=NOW)
        for n in range(5)
    ]
    lines = diagnosis(failed, history, NOW)
    assert now in text_of(lines, "Now")
    assert "for 3 hours, 4 times in a row" in text_of(lines, "Now")
    assert text_of(lines, "Last") == "Failed 5 minutes ago: what happened"
    assert following in text_of(lines, "Next")
    assert todo in text_of(lines, "To do")
    assert len(lines) <= 12


def test_what_was_changed_since_is_not_advised_again() -> None:
    edited = account(
        last_outcome=OutcomeKind.FAILED, last_error="Rejected", last_at=NOW - timedelta(days=2)
    )
    assert "To do" not in dict(diagnosis(edited, [], NOW))


def test_a_source_that_has_moved() -> None:
    moved = account(source_memory={"moved_to": "mastodon:alice@new.example"})
    assert text_of(diagnosis(moved, [], NOW), "Moved") == (
        "`lastword accounts edit alice --source mastodon:alice@new.example`"
    )
    assert "Moved" not in dict(diagnosis(account(source_memory={"moved_to": 5}), [], NOW))


def stands(carrier: str, pep: str = "", asked: str | None = None, **more: Any) -> Account:  # noqa: ANN401
    held = more.pop("held", {"activity": "presence"} if "pep" in carrier else {})
    memory = {"asked": pep if asked is None else asked, "held": held}
    return account(
        published_status="Hi",
        published_at=NOW,
        last_carrier=carrier,
        pep=pep,
        pep_memory=memory,
        **more,
    )


@pytest.mark.parametrize(
    ("shown", "way", "better"),
    [
        (stands("shared_status"), "login, shared_status: the server keeps the words", []),
        (
            stands("shared_status+pep", "activity", publisher="operator"),
            "devices, and the account wants its activity as well",
            [],
        ),
        (
            stands("pep+presence", asked="?", publisher="hold"),
            "pep+presence, by another publisher: the next run hands it over",
            [],
        ),
        (
            stands("pep+presence"),
            "login, pep+presence: the server has no shared status, and keeps the activity",
            ["between runs contacts see it where their client shows activities; on the server"],
        ),
        (
            stands("pep", publisher="operator"),
            "operator, pep: the server has no shared status, or does not let us set it",
            [
                'activities; on the server modules_enabled = { "shared_status" }',
                '["google:shared-status"]',
            ],
        ),
        (
            stands("pep+presence", "microblog,tune", held={"microblog": "open", "tune": ""}),
            "keeps the microblog and tune",
            ["where their client shows microblogs and tunes;"],
        ),
        (
            stands("presence"),
            "neither a shared status nor PEP",
            ["between runs it is gone; on the server modules_enabled"],
        ),
        (stands("presence", "none"), "the account wants none of PEP", ["between runs it is gone"]),
        (
            stands("pep+presence", held={"activity": "whitelist"}),
            "keeps the activity",
            ["the access model of its node is whitelist, by the user's choice; with presence"],
        ),
        (
            stands("pep", publisher="operator", held={"activity": "other"}),
            "keeps the activity",
            ["the access model of its node is another"],
        ),
        (
            stands("shared_status", "microblog"),
            "the server keeps the words",
            ['keeps no microblog, though the account wants it: modules_enabled = { "pep" }'],
        ),
        (stands("shared_status", "microblog", asked=""), "the server keeps the words", []),
    ],
)
def test_the_way_and_what_would_better_it(shown: Account, way: str, better: list[str]) -> None:
    lines = diagnosis(shown, [], NOW)
    assert way in text_of(lines, "By")
    told = " ".join(text for heading, text in lines if heading in ("Better", ""))
    assert bool(told) is bool(better)
    assert all(words in told for words in better)


def test_an_operator_without_privilege() -> None:
    waiting = account(
        publisher="operator",
        last_outcome=OutcomeKind.DEFERRED,
        last_error="Deferred",
        last_reason="operator:chat.example is out of action: chat.example gives the component no"
        " privilege: its configuration needs …",
        last_at=NOW,
    )
    lines = diagnosis(waiting, [], NOW)
    assert "its configuration needs" in text_of(lines, "Last")
    assert "Better" not in dict(lines), "what is to be done comes first"


def test_a_status_that_lingers() -> None:
    shown = stands("pep+presence")
    shown.session_memory = f"{(NOW + timedelta(minutes=50)).isoformat()} v1.sealed"
    lines = dict(diagnosis(shown, [], NOW))
    assert "stays on the server until 12:50 UTC, renewed before" in lines["Lingers"]
    assert "smacks_hibernation_time" not in str(lines)
    shown.active = False
    assert "until 12:50 UTC, not renewed" in text_of(diagnosis(shown, [], NOW), "Lingers")
    lines = dict(diagnosis(shown, [], NOW + timedelta(hours=1)))
    assert "Lingers" not in lines
    assert "smacks_hibernation_time = 3600" in lines[""]
    assert "max_resume_timeout: 3600" in lines[""]


def test_a_status_that_was_cleared_is_not_shown() -> None:
    cleared = account(published_status=None, published_at=NOW, last_outcome=OutcomeKind.PUBLISHED)
    assert "Shown" not in dict(diagnosis(cleared, [], NOW))
    assert figures(cleared, [], NOW)["shown"] == {"status": None, "since": None}


def test_a_status_that_the_holder_keeps() -> None:
    held = account(
        publisher="hold",
        published_status="Out for tea",
        published_at=NOW,
        last_carrier="presence",
        last_outcome=OutcomeKind.PUBLISHED,
    )
    lines = diagnosis(held, [], NOW, holder="has had a session since 2026-03-01 11:00 UTC")
    assert text_of(lines, "By") == "hold, presence: the holder keeps a session open that shows it"
    assert text_of(lines, "Better").startswith(
        "contacts see it while no device of the user's own is online; on the server"
    )
    assert text_of(lines, "Holder") == "has had a session since 2026-03-01 11:00 UTC"
