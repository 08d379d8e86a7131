"""The publisher `hold` and its service, on a real Prosody: what contacts see, and when they do."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text

from bench.proxy import Proxy
from demo.prosody import Prosody
from lastword import accounts
from lastword.errors import HolderAway, LoginRefused
from lastword.holder import heartbeat
from lastword.holder.lock import AnotherHolder
from lastword.holder.service import Holder
from lastword.holder.view import told_of, view_of
from lastword.publishers.base import MIXED
from lastword.publishers.dns import Directory
from lastword.publishers.held_session import HeldSession
from lastword.publishers.hold import Hold, _Waiting
from lastword.rewire import rewire
from lastword.wiring import Wiring
from models import Account, Health, Held, HolderBeat, OutcomeKind, schema
from models.database import Database
from models.types import now
from tests.fixtures_hold import Holding, holding_on
from tests.fixtures_xmpp import login_to, nothing_left, tls_for, witness
from tests.xmpp_peer import DOMAIN


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def _tried(holder: Holder) -> None:
    async def is_tried() -> bool:
        return holder.counts == (1, 0)

    await _until(is_tried)


async def _up(holder: Holder, number: int) -> None:
    async def are_up() -> bool:
        return holder.counts == (number, number)

    await _until(are_up)


async def test_contact_sees_each_change_and_the_leave(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    account = await holding.add(person)
    async with nothing_left(), witness(prosody) as contact:
        async with holding.running():
            assert await holding.publish(account, "Out for tea") == "presence"
            seen = await contact.until(person, lambda seen: seen.status == "Out for tea")
            assert (seen.show, seen.priority) == ("xa", -1)
            assert await holding.current(account) == "Out for tea"
            await holding.publish(account, "Back again")
            await contact.until(person, lambda seen: seen.status == "Back again")
            await holding.publish(account, None)
            seen = await contact.until(person, lambda seen: seen.show == "unavailable")
            assert seen.status is None
            assert await holding.current(account) is None
            await holding.publish(account, "Night")
            await contact.until(person, lambda seen: seen.status == "Night")
        await contact.until(
            person, lambda seen: (seen.show, seen.status) == ("unavailable", "Night")
        )


async def test_what_a_login_left_is_taken_back(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    account = await holding.add(person)
    login = login_to(prosody.address, tls_for(prosody))
    async with login.session(account) as session:
        await session.current()
        await session.set("Before")
    account.published_status = "Before"
    rewire(account, replace(Wiring.of(account), publisher="operator"))
    rewire(account, replace(Wiring.of(account), publisher="hold"))
    async with holding.database.writing() as saving:
        await saving.merge(account)
    async with witness(prosody) as contact, holding.running():
        await contact.until(person, lambda seen: seen.activity == "Before")
        await holding.publish(account, "Out for tea")
        await contact.until(
            person, lambda seen: (seen.activity, seen.status) == (None, "Out for tea")
        )
        assert account.pep_memory == {"asked": "", "held": {}}


async def test_clearing_that_was_lost_is_done_again(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    """Resumed, the session still shows what nobody has heard us withdraw."""
    account = await holding.add(person)
    holding.answer_deadline = 0.5
    async with Proxy(prosody.address) as proxy, witness(prosody) as contact:
        holding.address = proxy.address
        async with holding.running():
            await holding.publish(account, "Out for tea")
            await contact.until(person, lambda seen: seen.status == "Out for tea")
            proxy.is_silent = True
            clearing = asyncio.create_task(holding.publish(account, None))
            await asyncio.sleep(0.8)  # longer than the answer to it is waited for
            proxy.is_silent = False
            proxy.cut()
            await clearing
            await contact.until(person, lambda seen: seen.show == "unavailable")


async def test_a_status_that_nobody_recorded_is_cleared(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    """Asked for, not shown in time, and gone from its source before the next run."""
    account = await holding.add(person)
    async with holding.database.writing() as session:
        session.add(Held(account_id=account.id or 0, wanted="Out for tea", asked=1))
    async with witness(prosody) as contact, holding.running():
        await contact.until(person, lambda seen: seen.status == "Out for tea")
        assert (await holding.run(person, "")).last_outcome is OutcomeKind.PUBLISHED
        await contact.until(person, lambda seen: seen.show == "unavailable")
        assert (await holding.run(person, "")).last_outcome is OutcomeKind.SKIPPED


async def test_what_the_holder_is_about_to_show_is_cleared(holding: Holding, person: str) -> None:
    account = await holding.add(person)
    account.published_status = "Out for tea"
    async with holding.database.writing() as session:
        session.add(Held(account_id=account.id or 0, wanted="Out for tea", asked=1))
    await heartbeat.Heartbeat(holding.database).begin()
    assert await holding.current(account) is MIXED


async def test_words_of_another_time_are_forgotten(holding: Holding, person: str) -> None:
    account = await holding.add(person)
    async with holding.running() as (holder, _):
        await holding.publish(account, "Out for tea")
        await accounts.edit(holding.database, person, {"publisher": "login"})

        async def forgotten() -> bool:
            async with holding.database.session() as session:
                return await session.get(Held, account.id) is None

        await _until(forgotten)
        assert holder.counts == (0, 0)


async def test_who_has_no_status_is_not_shown(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    await holding.add(person)
    async with witness(prosody) as contact, holding.running() as (holder, _):
        await _up(holder, 1)
        assert (await contact.seen([person], deadline=2))[person].show == "unavailable"


async def test_holder_that_starts_again_shows_what_was_wanted(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    account = await holding.add(person)
    async with holding.running():
        await holding.publish(account, "Out for tea")
    async with witness(prosody) as contact, holding.running():
        await contact.until(person, lambda seen: seen.status == "Out for tea")


async def test_on_both_databases(database: Database, prosody: Prosody, person: str) -> None:
    """Accounts that come, change and go are followed; PostgreSQL tells, SQLite is looked at."""
    async with (
        holding_on(database, prosody) as holding,
        witness(prosody) as contact,
        holding.running() as (holder, _),
    ):
        assert holder.counts == (0, 0)
        account = await holding.add(person)
        await holding.publish(account, "Out for tea")
        await contact.until(person, lambda seen: seen.status == "Out for tea")
        await holding.publish(account, "Back again")
        await contact.until(person, lambda seen: seen.status == "Back again")
        await accounts.pause(database, person)
        await contact.until(person, lambda seen: seen.show == "unavailable")
        await accounts.resume(database, person)
        await contact.until(person, lambda seen: seen.status == "Back again")
        await accounts.remove(database, person)
        await contact.until(person, lambda seen: seen.show == "unavailable")
        await _up(holder, 0)


async def test_network_cut_is_resumed(holding: Holding, prosody: Prosody, person: str) -> None:
    account = await holding.add(person)
    async with nothing_left(), Proxy(prosody.address) as proxy, witness(prosody) as contact:
        holding.address = proxy.address
        async with holding.running() as (holder, _):
            await holding.publish(account, "Out for tea")
            await contact.until(person, lambda seen: seen.status == "Out for tea")
            before = len(contact.history)
            proxy.cut()

            async def came_twice() -> bool:
                return len(proxy.arrivals) > 1

            await _until(came_twice)
            await _up(holder, 1)
            assert await holding.current(account) == "Out for tea"
            await holding.publish(account, "Back again")
            await contact.until(person, lambda seen: seen.status == "Back again")
            # The contact noticed nothing of the cut: it was the same session all the time.
            assert [seen.status for _, seen in contact.history[before:]] == ["Back again"]


async def test_network_that_falls_silent(holding: Holding, prosody: Prosody, person: str) -> None:
    """Nobody is told: the session has to ask."""
    account = await holding.add(person)
    holding.answer_deadline = 0.5
    async with nothing_left(), Proxy(prosody.address) as proxy:
        holding.address = proxy.address
        async with holding.running(hold_ping_seconds=0.2) as (holder, _):
            await holding.publish(account, "Out for tea")
            proxy.is_silent = True

            async def noticed() -> bool:
                return holder.counts == (1, 0)

            await _until(noticed)
            proxy.is_silent = False
            await _up(holder, 1)
            await holding.publish(account, "Back again")


async def test_server_restart(holding: Holding, prosody: Prosody, person: str) -> None:
    account = await holding.add(person)
    async with nothing_left(), holding.running() as (holder, _):
        await holding.publish(account, "Out for tea")
        await asyncio.to_thread(prosody.restart)
        async with witness(prosody) as contact:
            await contact.until(person, lambda seen: seen.status == "Out for tea")
            await _up(holder, 1)
            await holding.publish(account, "Back again")
            await contact.until(person, lambda seen: seen.status == "Back again")


async def test_refused_password_is_tried_once(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    account = await holding.add(person, "wrong")
    async with Proxy(prosody.address) as proxy:
        holding.address = proxy.address
        for _ in range(2):
            async with holding.running() as (holder, _):
                with pytest.raises(LoginRefused, match="refused the password"):
                    await holding.publish(account, "Out for tea")
                # The second one's refusal is known from the first one's notes, maybe before.
                await _tried(holder)
        assert len(proxy.arrivals) == 1
        refused = await accounts.find(holding.database, person)
        assert (refused.health, refused.last_error) == (Health.NEEDS_OWNER, "LoginRefused")
        # A run that had begun before may take the account for well again: still not tried.
        async with holding.database.writing() as session:
            row = await session.get_one(Account, account.id)
            row.health, row.last_error = Health.OK, None
        async with holding.running():
            with pytest.raises(LoginRefused):
                await holding.publish(account, "Out for tea")
            assert len(proxy.arrivals) == 1
            account = await holding.set_password(person, "correct horse")
            await holding.publish(account, "Out for tea")
        assert len(proxy.arrivals) == 2


async def test_runs_tell_the_truth_about_the_holder(
    holding: Holding, prosody: Prosody, person: str
) -> None:
    """Published once the server has shown it, Unchanged while it does, Failed without a holder."""
    await holding.add(person)
    async with holding.running():
        account = await holding.run(person, "Out for tea")
        assert (account.last_outcome, account.last_carrier) == (OutcomeKind.PUBLISHED, "presence")
        assert (await holding.run(person, "Out for tea")).last_outcome is OutcomeKind.UNCHANGED
        await asyncio.to_thread(prosody.restart)
        # Not shown for a moment: then it is shown anew, and the run waits for that.
        assert (await holding.run(person, "Out for tea")).last_outcome in {
            OutcomeKind.PUBLISHED,
            OutcomeKind.UNCHANGED,
        }
    for words in ("Out for tea", "Back again"):
        account = await holding.run(person, words)
        assert (account.last_outcome, account.last_error) == (OutcomeKind.FAILED, "HolderAway")
        assert "start `lastword hold`" in (account.last_reason or "")


async def test_a_run_asks_for_all_at_once_whether_their_statuses_stand(sqlite_url: str) -> None:
    asked: list[str] = []

    def note(*call: Any) -> None:  # noqa: ANN401 (SQLAlchemy's event)
        asked.append(call[2])

    crowd = [
        Account(id=key, name=f"p{key}", source="x:a", jid=f"p{key}@{DOMAIN}", published_status="A")
        for key in range(1, 151)
    ]
    async with Database.open(sqlite_url, check=False) as database:
        await schema.upgrade(database)
        await heartbeat.Heartbeat(database).begin()
        async with database.writing() as session:
            session.add_all(crowd)
        async with database.writing() as session:
            for it in crowd[1:]:
                session.add(Held(account_id=it.id or 0, wanted="A", shown="A", up_since=now()))
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        hold = Hold(database, deadline=1)
        stand = await asyncio.gather(*map(hold.stands, crowd))
        await hold.close()
    assert stand == [False] + [True] * 149
    # One by one they would be 300.
    assert len([it for it in asked if it.startswith("SELECT")]) <= 6


async def test_no_answer_counts_without_a_session() -> None:
    """Shown once, and lost since: the contacts do not see it."""
    answer = asyncio.get_running_loop().create_future()
    one = _Waiting(Account(name="alice", source="", jid=f"alice@{DOMAIN}"), 1, answer)
    for row in (Held(account_id=1, answered=1), Held(account_id=1, answered=0, up_since=now())):
        one.judge(row, is_away=False)
        assert not answer.done()
    one.judge(Held(account_id=1, answered=1, up_since=now()), is_away=False)
    assert answer.result() is None


async def test_no_holder(holding: Holding, person: str) -> None:
    account = await holding.add(person)
    with pytest.raises(HolderAway, match="start `lastword hold`"):
        await holding.publish(account, "Out for tea")
    assert "start `lastword hold`, for 1 account needs it" in (await view_of(holding.database)).text
    assert "start `lastword hold`" in await told_of(holding.database, account)


async def test_holder_that_dies_before_it_answers(holding: Holding, person: str) -> None:
    """Killed: its last sign of life stays, and grows old while the run waits."""
    account = await holding.add(person)
    await heartbeat.Heartbeat(holding.database).begin()

    async def grow_old() -> None:
        await asyncio.sleep(0.5)
        async with holding.database.writing() as session:
            beat = await session.get_one(HolderBeat, 1)
            beat.beat_at -= heartbeat.DEAD

    ageing = asyncio.create_task(grow_old())
    with pytest.raises(HolderAway):
        await holding.publish(account, "Out for tea", deadline=60)
    await ageing


async def test_a_session_keeps_no_password(holding: Holding, person: str) -> None:
    await holding.add(person)
    async with holding.running() as (holder, _):
        await _up(holder, 1)
        ((keeper, _),) = holder._keepers.values()
        client = keeper._session._client
        assert client
        assert not client.credentials
        assert not client._secret
        assert client.plugin["feature_mechanisms"].mech is None


@pytest.mark.parametrize("what", ["verify_mode", "check_hostname"])
def test_a_session_verifies_its_server(what: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    if what == "verify_mode":
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="must verify"):
        HeldSession(
            f"alice@{DOMAIN}",
            lambda: SecretStr(""),
            tls=context,
            address=None,
            deadline=1,
            answer_deadline=1,
            directory=Directory(),
        )


async def test_two_holders(database: Database, prosody: Prosody) -> None:
    async with holding_on(database, prosody) as holding, holding.running():
        with pytest.raises(AnotherHolder, match="end it first"):
            async with holding.running():
                pass
        assert (await view_of(database)).since


async def test_health_port(holding: Holding, person: str) -> None:
    await holding.add(person)
    async with holding.running() as (holder, port):
        await _up(holder, 1)
        assert await _get(port, "/health") == (200, '{"alive":true}')
        code, body = await _get(port, "/ready")
        assert code == 200
        assert body == '{"ready":true,"trouble":null,"wanted":1,"up":1}'
        assert person not in body
        assert DOMAIN not in body
        assert (await _get(port, "/else"))[0] == 404


async def test_postgresql_that_drops_our_connection(
    postgresql_url: str, prosody: Prosody, person: str
) -> None:
    """The next change is noticed all the same."""
    database = Database(postgresql_url)
    async with holding_on(database, prosody) as holding, holding.running() as (holder, _):
        await _up(holder, 0)
        async with database.session() as session:
            drop = text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
            connection = await session.connection()
            assert (await connection.execute(drop)).scalars().all() == [True]
        account = await holding.add(person)
        await holding.publish(account, "Out for tea")
    await database.dispose()


async def _get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body.strip()
