"""Owners are told once for each cause and once when it is over: on a real Prosody, by message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, cast

import pytest
import time_machine
from pydantic import SecretBytes, SecretStr
from slixmpp import ComponentXMPP
from slixmpp.stanza import Message
from sqlmodel import select

from demo.prosody import MODULES, Prosody
from demo.stage import free_port
from lastword import accounts, cause_store, owner_notices, owners
from lastword.attempt import attempt
from lastword.cause_facts import Cause, Kind
from lastword.eligibility import Choice, Rules
from lastword.owner_words import healed, needs_owner
from lastword.owners import Told, tell_owners
from lastword.post import Post
from lastword.publishers.client import Client
from lastword.publishers.notifier import Notifier
from lastword.runs import AccountRef, Which, begin
from lastword.secrets import Keyring
from lastword.services import Services
from lastword.settings import Settings
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from models import Account, Health, OutcomeKind, OwnerNotice
from models.database import Database
from models.types import now
from tests.fixtures_xmpp import account, login_to, nothing_left, tls_for
from tests.xmpp_device import Device
from tests.xmpp_peer import DOMAIN, PASSWORD

NOTIFIER = f"stranger@{DOMAIN}"


class OnePost(Source):
    """A source that has a post."""

    def __init__(self) -> None:
        pass

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        del account, rules
        return Choice(Post(id="1", text="Hello"))


def notifier(prosody: Prosody, password: str = PASSWORD) -> Notifier:
    return Notifier(
        NOTIFIER,
        SecretStr(password),
        mark=Keyring(SecretBytes(bytes(32))).mark(SecretStr(password)),
        tls=tls_for(prosody),
        servers={DOMAIN: f"{prosody.host}:{prosody.port}"},
        deadline=20,
        answer_deadline=20,
    )


def services(database: Database, notifier: Notifier | None, **settings: str) -> Services:
    return Services(
        settings=Settings.model_validate(settings),
        database=database,
        http=cast("GuardedClient", None),
        sources={"feed": OnePost()},
        publishers={},
        until_the_end=AsyncExitStack(),
        notifier=notifier,
    )


async def add(database: Database, name: str, **columns: object) -> Account:
    row = account(name)
    for column, value in columns.items():
        setattr(row, column, value)
    async with database.writing() as session:
        session.add(row)
    return row


async def waiting(database: Database, name: str, **columns: object) -> Account:
    """Add an account that waits for its owner."""
    refused = {"last_outcome": OutcomeKind.FAILED, "last_error": "LoginRefused"}
    common = {"health": Health.NEEDS_OWNER, "last_reason": f"{DOMAIN} refused the password"}
    return await add(database, name, **refused | common | columns)


async def run(services: Services, row: Account) -> Told:
    """Run over an account, whatever its health, and tell its owner as a run does."""
    run_id = await begin(services.database, Which.ALL, 1, None)
    ref = AccountRef(row.id or 0, row.name)
    async with nothing_left():
        await attempt(ref, run_id, services, last=True)
        return await tell_owners(services)


async def change(database: Database, name: str) -> None:
    """Change what a refused login may depend on."""
    for publisher in ("operator", "login"):
        await accounts.edit(database, name, {"publisher": publisher})


@asynccontextmanager
async def phone_of(prosody: Prosody, name: str) -> AsyncIterator[list[Message]]:
    """Give what arrives at somebody's phone, a list that grows."""
    got: list[Message] = []
    async with Device(prosody, name) as phone:
        phone.client.add_event_handler("message", got.append)
        yield got
        await phone.settle()


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the notifier's logins that were begun, a list that grows."""
    begun: list[str] = []
    log_in = Client.log_in

    async def noting(self: Client, *given: Any) -> None:  # noqa: ANN401 (those of `log_in`)
        if self.requested_jid.bare == NOTIFIER:
            begun.append(self.requested_jid.full)
        await log_in(self, *given)

    monkeypatch.setattr(Client, "log_in", noting)
    return begun


async def test_one_message_over_three_failing_runs_and_one_when_it_has_healed(
    database: Database, prosody: Prosody, person: str, logins: list[str]
) -> None:
    row = await add(database, person)
    refusing = replace(
        services(database, notifier(prosody), contact="ops@chat.example"),
        publishers={"login": login_to(prosody.address, tls_for(prosody), "wrong")},
    )
    accepting = replace(refusing, publishers={"login": login_to(prosody.address, tls_for(prosody))})
    async with phone_of(prosody, person) as got:
        told = [await run(refusing, row) for _ in range(3)]
        # As after a restart: nothing is remembered but what the database has.
        told.append(await tell_owners(replace(refusing, notifier=notifier(prosody))))
        assert [(one.told, one.left, one.trouble) for one in told] == [
            (1, 0, None),
            *[(0, 0, None)] * 3,
        ]
        await accounts.edit(database, person, {"pep": "activity"})
        assert (await tell_owners(refusing)).told == 0, "it is not about that"
        await change(database, person)
        assert (await tell_owners(refusing)).told == 0, "nobody knows yet whether it works"
        assert (await run(accepting, row)).told == 1
        assert (await run(accepting, row)).told == 0
    assert len(logins) == 2
    first, last = got
    assert {first["from"].bare, last["from"].bare} == {NOTIFIER}
    assert {it["type"] for it in got} == {"chat"}
    assert [child.tag for child in first.xml] == ["{jabber:client}body"]
    assert f"cannot do so for {person}@{DOMAIN} any more" in first["body"]
    assert f"What happened: {DOMAIN} refused the password. Since 20" in first["body"]
    assert "let whoever runs Last Word for you (ops@chat.example) know" in first["body"]
    assert "lastword" not in first["body"], "a user has no command line"
    assert last["body"].startswith(f"Last Word works again for {person}@{DOMAIN}: ")


async def test_what_is_refused_after_a_change_is_another_cause(
    database: Database, prosody: Prosody, person: str
) -> None:
    row = await add(database, person)
    refusing = replace(
        services(database, notifier(prosody)),
        publishers={"login": login_to(prosody.address, tls_for(prosody), "wrong")},
    )
    assert (await run(refusing, row)).told == 1
    await change(database, person)
    assert (await run(refusing, row)).told == 1


async def test_whose_message_comes_back_is_tried_less_and_less_often(
    database: Database, prosody: Prosody, person: str
) -> None:
    await waiting(database, "nobody-of-that-name")
    told_by = services(database, notifier(prosody))
    began = now()
    with time_machine.travel(began, tick=True) as clock:
        assert await tell_owners(told_by) == Told(0, 1)
        await waiting(database, person)
        assert await tell_owners(told_by) == Told(1, 1), "the next run, and the other all the same"
        assert await tell_owners(told_by) == Told(0, 0), "it rests"
        clock.move_to(began + timedelta(minutes=31))
        assert await tell_owners(told_by) == Told(0, 1)
        clock.move_to(began + timedelta(minutes=90))
        assert await tell_owners(told_by) == Told(0, 0)


async def test_a_good_message_that_comes_back_is_tried_less_and_less_often_too(
    database: Database, prosody: Prosody
) -> None:
    """Its owner was told of the trouble, and then blocked the notifier."""
    row = await waiting(database, "nobody-of-that-name-either")
    began = now()
    async with database.writing() as session:
        found = await session.get(Account, row.id)
        assert found
        session.add(
            OwnerNotice(
                account_id=row.id or 0,
                jid=row.jid,
                since=found.health_since,
                edited_at=found.edited_at,
                told_at=began,
                tried_at=began,
            )
        )
        found.health, found.last_outcome = Health.OK, OutcomeKind.PUBLISHED
        found.health_since = found.edited_at = began + timedelta(seconds=1)
        found.last_at = began + timedelta(seconds=2)
    told_by = services(database, notifier(prosody))
    with time_machine.travel(began + timedelta(minutes=1), tick=True) as clock:
        assert await tell_owners(told_by) == Told(0, 1)
        assert await tell_owners(told_by) == Told(0, 1), "the next run"
        assert await tell_owners(told_by) == Told(0, 0), "it rests"
        clock.move_to(began + timedelta(hours=2))
        assert await tell_owners(told_by) == Told(0, 1)


async def test_what_another_server_does_not_take_later_on_is_not_told(database: Database) -> None:
    far, secret, port = "far.example", token_hex(8), free_port()
    with Prosody(
        DOMAIN,
        users={"stranger": PASSWORD},
        modules=[*MODULES, "component"],
        settings=f"component_ports = {{ {port} }}",
        host_settings=f'Component "{far}"\n  component_secret = "{secret}"',
    ) as server:
        elsewhere: Any = ComponentXMPP(far, secret, "127.0.0.1", port)  # type: ignore[no-untyped-call]
        elsewhere.add_event_handler(
            "message", lambda it: elsewhere.loop.call_later(0.3, bounce, it)
        )
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        elsewhere.add_event_handler("session_start", ready.set_result)
        elsewhere.connect()
        await asyncio.wait_for(ready, 20)
        row = await waiting(database, "owner", jid=f"owner@{far}")
        assert await tell_owners(services(database, notifier(server))) == Told(0, 1)
        async with database.session() as session:
            kept = await session.get(OwnerNotice, row.id)
        assert kept
        assert (kept.told_at, kept.tries) == (None, 1)
        await elsewhere.disconnect()


def bounce(message: Any) -> None:  # noqa: ANN401  # slixmpp has no types for its replies
    back = message.reply(clear=False)
    back["id"], back["type"] = message["id"], "error"
    back["error"]["condition"] = "remote-server-timeout"
    back.send()


async def test_a_refused_notifier_is_tried_once_until_it_changes(
    database: Database, prosody: Prosody, person: str, logins: list[str]
) -> None:
    await waiting(database, person)
    wrong = services(database, notifier(prosody, "wrong"))
    told = [await tell_owners(wrong) for _ in range(3)]
    assert len(logins) == 1
    assert [(one.told, one.left) for one in told] == [(0, 1)] * 3
    for one in told:
        assert one.trouble
        assert "not tried again before LASTWORD_NOTIFIER_PASSWORD or" in one.trouble
    assert (await tell_owners(services(database, notifier(prosody)))).told == 1
    assert not await owner_notices.was_refused(database, notifier(prosody, "wrong").mark)


async def test_a_process_that_dies_while_telling_tells_nobody_twice(
    database: Database, prosody: Prosody, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(database, person)

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    async with phone_of(prosody, person) as got:
        with monkeypatch.context() as patch:
            patch.setattr("lastword.publishers.login_line.LoginLine.ask", die)
            with pytest.raises(asyncio.CancelledError):
                await tell_owners(services(database, notifier(prosody)))
        assert await tell_owners(services(database, notifier(prosody))) == Told(0, 0)
    assert len(got) <= 1


async def test_what_is_not_delivered_in_time_is_for_the_next_run(
    database: Database, prosody: Prosody, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(database, person)
    prosody_away = replace(
        services(database, notifier(prosody)),
        notifier=Notifier(
            NOTIFIER,
            SecretStr(PASSWORD),
            mark="",
            tls=tls_for(prosody),
            servers={DOMAIN: "127.0.0.1:9"},
            deadline=5,
            answer_deadline=5,
        ),
    )
    assert await tell_owners(prosody_away) == Told(0, 1, f"{DOMAIN} refuses connections")
    monkeypatch.setattr(owners, "SECONDS", 0)
    late = await tell_owners(services(database, notifier(prosody)))
    assert late == Told(0, 1, f"{DOMAIN} did not take all messages within 0 s")
    monkeypatch.undo()
    assert await tell_owners(services(database, notifier(prosody))) == Told(1, 0)


async def test_whom_nobody_tells(database: Database, prosody: Prosody) -> None:
    rows = [await waiting(database, f"of-many-{number}") for number in range(5)]
    await waiting(database, "paused", active=False)
    await add(database, "gone", health=Health.GONE, last_outcome=OutcomeKind.FAILED)
    refuses = Cause(
        key=f"host-refuses:{DOMAIN}",
        kind=Kind.HOST_REFUSES,
        host=DOMAIN,
        since=now(),
        accounts=frozenset(row.id or 0 for row in rows),
    )
    await cause_store.keep(database, [refuses])
    # It would be tried, were there anybody to tell: there is no such server.
    assert await tell_owners(services(database, notifier(prosody, "wrong"))) == Told(0, 0)
    # Of few accounts the server may be to blame as well as the owner.
    few = replace(refuses, accounts=frozenset(list(refuses.accounts)[:1]))
    await cause_store.keep(database, [few])
    assert len(await owner_notices.due(database, frozenset(), "")) == 5
    assert (await tell_owners(services(database, None))) == Told()
    unready = await tell_owners(services(database, None, notifier_jid=NOTIFIER))
    assert unready.trouble == (
        "LASTWORD_NOTIFIER_JID has no password: set LASTWORD_NOTIFIER_PASSWORD"
    )


async def test_who_has_taken_over_an_account_is_not_told_of_what_was_before(
    database: Database, prosody: Prosody, person: str
) -> None:
    row = await waiting(database, person)
    told_by = services(database, notifier(prosody))
    assert (await tell_owners(told_by)).told == 1
    async with database.writing() as session:
        found = await session.get(Account, row.id)
        assert found
        found.jid, found.health = f"contact@{DOMAIN}", Health.OK
        found.last_outcome, found.last_at = OutcomeKind.PUBLISHED, now()
    assert await tell_owners(told_by) == Told(0, 0)
    async with database.session() as session:
        assert (await session.exec(select(OwnerNotice))).all() == []


SINCE = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


def words(error: str, reason: str) -> str:
    return needs_owner(
        jid="alice@chat.example",
        source="feed:https://blog.example/feed",
        error=error,
        reason=reason,
        since=SINCE,
        contact="",
    )


@pytest.mark.parametrize(
    ("said", "happened"),
    [
        (
            "chat.example refused the password: set the right one with `lastword accounts edit`",
            "chat.example refused the password",
        ),
        ("no password is set: `lastword accounts edit alice --password`", "no password is set"),
        (
            "chat.example refused the login (policy-violation): “\x1b[31mgo\x00 away”",
            "chat.example refused the login (policy-violation): “[31mgo away”",
        ),
        ("blog.example answers 404: check the address", "blog.example answers 404: check the"),
        ("", "your account was refused"),
    ],
)
def test_words_for_somebody_without_a_command_line(said: str, happened: str) -> None:
    text = words("LoginRefused", said)
    assert f"What happened: {happened}" in text
    assert "Since 2026-03-01 10:30 UTC" in text
    assert "`" not in text


def test_what_to_do_about_posts() -> None:
    text = words("Rejected", "blog.example answers 404: check the address")
    assert "look whether anyone can still read your posts at feed:https://blog.example/feed" in text
    assert "password" not in text
    text = words("Rejected", "no password is set: `lastword accounts edit alice --password`")
    assert "let whoever runs Last Word for you know of it" in text
    assert "blog.example" not in text
    until = SINCE + timedelta(days=1, hours=2)
    over = healed(jid="alice@chat.example", since=SINCE, until=until)
    assert "from 2026-03-01 10:30 UTC to 2026-03-02 12:30 UTC (1 d 2 h)" in over


def test_a_mark_tells_a_login_from_another_and_nothing_else() -> None:
    def mark(key: int, text: str) -> str:
        return Keyring(SecretBytes(bytes([key] * 32))).mark(SecretStr(text))

    assert mark(1, "sesame") == mark(1, "sesame")
    assert len({mark(1, "sesame"), mark(1, "sesam"), mark(2, "sesame")}) == 3
