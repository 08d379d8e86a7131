"""A made-up month in our own tables, for a picture of the report: its runs never happened."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from demo.words import NAMES
from models import Account, Health, LedgerEntry, OutcomeKind, Run, schema
from models.database import Database
from models.types import now

ACCOUNTS = 800
DAYS = 30
EVERY = timedelta(minutes=30)
_HOSTS = ("social.example", "blog.example", "fedi.example", "photos.example")
_SLOW_DAY = 11
_OWNERS = 4


async def fill(url: str) -> None:
    """Make a database with the month in it; always the same one, but for its dates."""
    dice, end = Random(7), now()  # noqa: S311 (a picture is no secret)
    database = Database(url)
    await schema.upgrade(database)
    async with database.writing() as session:
        session.add_all(_account(number, end) for number in range(1, ACCOUNTS + 1))
        await session.flush()
        for back in range(DAYS * 48, 0, -1):
            run = _run(dice, end - back * EVERY, is_slow=(back // 48) == _SLOW_DAY)
            session.add(run)
            if back <= 7 * 48:
                await session.flush()
                session.add_all(_entries(dice, run))
    await database.dispose()


def _name(number: int) -> str:
    return f"{NAMES[number % len(NAMES)]}{number // len(NAMES) or ''}"


def _account(number: int, end: datetime) -> Account:
    name = _name(number)
    account = Account(
        name=name,
        source=f"mastodon:{name}@{_HOSTS[number % len(_HOSTS)]}",
        jid=f"{name}@chat.example",
        active=number % 90 > 0,
    )
    if number <= _OWNERS:
        account.health, account.last_error = Health.NEEDS_OWNER, "LoginRefused"
        account.health_since = end - timedelta(hours=7 * number * number)
        account.last_reason = "chat.example refused the password"
    elif number % 97 == 0:
        account.health = Health.GONE
    elif number % 75 == 0:
        account.health = Health.FAILING
    return account


def _run(dice: Random, start: datetime, *, is_slow: bool) -> Run:
    failed = max(0, round(dice.gauss(3, 3)))
    deferred = round(dice.uniform(60, 120)) if is_slow else max(0, round(dice.gauss(1, 4)))
    by_day = 20 + 40 * (7 < start.hour < 23)  # noqa: PLR2004 (people sleep)
    published, skipped = round(dice.uniform(0.5, 1.3) * by_day), 14
    due = ACCOUNTS - ACCOUNTS // 90
    return Run(
        which="due",
        state="Degraded" if failed else "Completed",
        message=f"{failed} Failed" if failed else "",
        started_at=start,
        ended_at=start + timedelta(seconds=dice.uniform(8, 14) + (40 if is_slow else 0)),
        due=due,
        published=published,
        unchanged=due - published - skipped - deferred - failed,
        skipped=skipped,
        deferred=deferred,
        failed=failed,
    )


def _entries(dice: Random, run: Run) -> Iterator[LedgerEntry]:
    kinds = [OutcomeKind.FAILED] * run.failed + [OutcomeKind.DEFERRED] * run.deferred
    for kind, number in zip(kinds, dice.sample(range(1, ACCOUNTS), len(kinds)), strict=True):
        host = "chat.example" if number % 9 == 0 else _HOSTS[number % len(_HOSTS)]
        failed = kind is OutcomeKind.FAILED
        yield LedgerEntry(
            run_id=run.id or 0,
            account_id=number,
            kind=kind,
            error="Transient" if failed else "Deferred",
            reason=f"{host} did not answer within 20 s" if failed else f"{host} allows no more now",
            at=run.started_at + timedelta(seconds=dice.uniform(1, 20)),
        )
