"""The report: its facts on both databases, its page to people and to those who mean it no good."""

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from lastword.report.facts import Report
from lastword.report.page import page
from lastword.report.reading import DAYS, FAILURES, RUNS, WAITING, report_on
from lastword.report.writing import replace as replace_file
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.database import Database
from tests.fixtures_cli import FEED, Lastword, assert_refused

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_RUN_AFTER = timedelta(minutes=45)
HOSTILE = '<script>alert("1")</script><img src=https://evil.example/x onerror=alert(1)>'


def account(name: str, source: str = FEED, **columns: Any) -> Account:  # noqa: ANN401
    return Account(name=name, source=source, jid=f"{name}@chat.example", **columns)


def run(ended: datetime, state: str = "Completed", **counts: Any) -> Run:  # noqa: ANN401
    began = ended - timedelta(seconds=4)
    due = sum(counts.values())
    return Run(which="due", state=state, started_at=began, ended_at=ended, due=due, **counts)


async def fill(database: Database, *rows: Account | Run | LedgerEntry) -> None:
    async with database.writing() as session:
        session.add_all(rows)


async def entry(
    database: Database, name: str, at: datetime, reason: str, error: str = "Transient"
) -> None:
    kind = OutcomeKind.DEFERRED if error == "Deferred" else OutcomeKind.FAILED
    async with database.writing() as session:
        found = (await session.exec(select(Account).where(Account.name == name))).one()
        of_run = run(at)
        session.add(of_run)
        await session.flush()
        row = LedgerEntry(
            run_id=of_run.id or 0, account_id=found.id or 0, kind=kind, error=error, reason=reason
        )
        row.at = at
        session.add(row)


async def test_runs_and_days(database: Database) -> None:
    await fill(
        database,
        run(NOON - DAYS - HOUR, published=99),
        run(NOON - 49 * HOUR, published=2, failed=1),
        run(NOON - 48 * HOUR, state="Crashed", failed=1),
        run(NOON - HOUR, unchanged=3),
        Run(which="due", started_at=NOON, due=3),  # under way
    )
    report = await report_on(database, NOON)
    assert [one.seconds for one in report.runs] == [4, None, 4]
    assert report.runs[0].started_at == NOON - 49 * HOUR - timedelta(seconds=4)
    assert [(str(day.day), day.runs, day.not_completed) for day in report.days] == [
        ("2026-06-01", 2, 1),
        ("2026-06-02", 0, 0),
        ("2026-06-03", 1, 0),
    ]
    assert report.days[0].counts[OutcomeKind.FAILED] == 2
    assert (report.days[0].mean, report.days[0].longest) == (4, 4)


async def test_as_many_runs_as_a_day_has(database: Database) -> None:
    await fill(database, *(run(NOON - number * HOUR / 2, unchanged=1) for number in range(60)))
    report = await report_on(database, NOON)
    assert len(report.runs) == RUNS
    assert report.runs[-1].started_at > report.runs[0].started_at
    assert sum(day.runs for day in report.days) == 60


async def test_accounts_by_health_and_who_waits(database: Database) -> None:
    refused = {"health": Health.NEEDS_OWNER, "last_error": "LoginRefused", "last_reason": "no"}
    await fill(
        database,
        account("alice"),
        account("bruno", health_since=NOON - 2 * HOUR, **refused),
        account("daria", health_since=NOON - HOUR, **refused),
        account("goran", active=False, **refused),
    )
    report = await report_on(database, NOON)
    assert (report.health[Health.OK], report.health[Health.NEEDS_OWNER], report.paused) == (1, 2, 1)
    assert [it.name for it in report.waiting] == ["daria", "bruno"]
    assert report.waiting[0].at == NOON - HOUR
    assert "accounts edit daria --password" in report.waiting[0].advice


async def test_of_an_account_s_two_hosts_the_one_that_was_named(database: Database) -> None:
    await fill(
        database,
        account("alice", "mastodon:alice@social.example"),
        account("bruno", "mastodon:bruno@social.example"),
        account("daria", "bluesky:daria.example"),
    )
    await entry(database, "alice", NOON - 8 * 24 * HOUR, "social.example: long ago")
    await entry(database, "alice", NOON - 3 * HOUR, "chat.example did not answer")
    await entry(database, "bruno", NOON - 2 * HOUR, "chat.example refused", "Deferred")
    await entry(database, "daria", NOON - HOUR, "timed out")
    report = await report_on(database, NOON)
    assert [(it.host, it.accounts, it.failed, it.deferred) for it in report.hosts] == [
        ("chat.example", 2, 1, 1),
        ("bluesky", 1, 1, 0),
    ]
    assert report.hosts[0].last_at == NOON - 2 * HOUR
    assert report.hosts[0].reason == "chat.example refused"
    assert [it.name for it in report.failures] == ["daria", "alice"]


async def test_a_host_is_not_the_domain_that_it_is_below(database: Database) -> None:
    await fill(database, account("alice", "feed:https://blog.chat.example/feed.xml"))
    await entry(database, "alice", NOON - HOUR, "blog.chat.example answers 410 Gone: check it")
    report = await report_on(database, NOON)
    assert [it.host for it in report.hosts] == ["blog.chat.example"]


async def test_a_crowd_in_trouble_makes_no_longer_page(database: Database) -> None:
    waiting = {
        "health": Health.NEEDS_OWNER,
        "last_error": "Rejected",
        "last_reason": "no such user",
    }
    await fill(database, *(account(f"a{number}", **waiting) for number in range(WAITING + 5)))
    for number in range(FAILURES + 1):
        await entry(database, f"a{number}", NOON - number * timedelta(minutes=1), "no")
    report = await report_on(database, NOON)
    assert (len(report.waiting), len(report.failures)) == (WAITING, FAILURES)
    assert "And 5 more" in page(report, NO_RUN_AFTER)


class _Reader(HTMLParser):
    """What a browser would make of a page: its elements, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {name for name, _ in attrs if name in {"src", "href", "action", "onerror"}}

    def handle_data(self, data: str) -> None:
        self.text += data


def read(report: Report) -> _Reader:
    reader = _Reader()
    reader.feed(page(report, NO_RUN_AFTER))
    return reader


async def test_hostile_words_are_shown_and_never_obeyed(database: Database) -> None:
    since = {"health_since": NOON, "health": Health.NEEDS_OWNER, "last_reason": HOSTILE}
    await fill(database, account(HOSTILE[:60], "mastodon:x@<svg/onload=alert(1)>", **since))
    await entry(database, HOSTILE[:60], NOON - HOUR, f"{HOSTILE} and `<b>code</b>`")
    report = await report_on(database, NOON)
    report = replace(report, runs=[replace(report.runs[0], message=HOSTILE)])
    reader = read(report)
    assert reader.text.count(HOSTILE) == 4
    assert "<svg/onload=alert(1)>" in reader.text
    assert not reader.tags & {"script", "img", "b", "link", "iframe", "object"}
    assert not reader.links


async def test_the_page_tells_it_all_and_asks_nobody(database: Database) -> None:
    await fill(database, account("alice"), run(NOON - 25 * HOUR, published=1, failed=1))
    await entry(database, "alice", NOON - HOUR, "blog.example did not answer within 20 s")
    report = await report_on(database, NOON)
    html, reader = page(report, NO_RUN_AFTER), read(report)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://", html)
    for words in (
        "No run has ended since",
        "Day by day",
        "blog.example did not answer",
        "2026-06-02 10:59: 1 Failed",
    ):
        assert words in reader.text
    assert html.count('class="wide"') == html.count('class="narrow"') == 7
    # A table behind every picture.
    assert reader.text.count("The numbers") == 2


async def test_late_is_what_ended_too_long_ago(database: Database) -> None:
    await fill(database, account("alice"), run(NOON - HOUR, published=1))
    report = await report_on(database, NOON)
    lasting = replace(report, runs=[replace(report.runs[0], seconds=50 * 60)])
    late = "No run has ended since"
    assert late in page(report, NO_RUN_AFTER)
    assert late not in page(report, timedelta(minutes=90))
    assert late not in page(lasting, NO_RUN_AFTER)


async def test_before_the_first_run(database: Database) -> None:
    reader = read(await report_on(database, NOON))
    assert "No run has ended yet" in reader.text
    assert "svg" not in reader.tags


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    replace_file(file, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.html", "new")]
    with pytest.raises(UnicodeEncodeError):
        replace_file(file, "\ud800")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.html", "new")]


def test_the_command(ready: Lastword, tmp_path: Path) -> None:
    ended = ready("report")
    assert (ended.code, ended.out) == (0, "")
    assert "lastword-report.html" in ended.err
    assert (tmp_path / "lastword-report.html").read_text().startswith("<!DOCTYPE html>")
    told = json.loads(ready("report", "--json").out)
    assert told["health"] == {"ok": 1, "failing": 0, "needs_owner": 0, "gone": 0}
    assert told["runs"] == []
    assert_refused(ready("report", str(tmp_path / "no" / "page.html")), "page.html", "No such file")
    assert_refused(ready("report", str(tmp_path)), "Is a directory")


def test_a_page_that_others_were_let_read_stays_so(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    before = os.umask(0o077)
    try:
        replace_file(file, "first")
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        replace_file(file, "second")
    finally:
        os.umask(before)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("second", 0o644)
