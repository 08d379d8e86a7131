"""Lingering on a real Prosody: what contacts see between runs, and whatever may have happened."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Literal

import pytest
from slixmpp import JID
from slixmpp.stanza import Message

from demo.contact import Contact, Seen
from demo.prosody import MODULES, Prosody
from demo.prosody_storage import write_accounts
from lastword.errors import LoginRefused
from lastword.lingering import lingers_until
from lastword.publishers.client import Client
from models import Account
from models.types import now
from tests.fixtures_xmpp import CONTACT, account, nothing_left, tls_for, witness
from tests.lingering_run import LINGERING, run, run_elsewhere
from tests.xmpp_device import Device
from tests.xmpp_peer import DOMAIN, PASSWORD

PEOPLE = [f"lingerer{number}" for number in range(30)]
STAYS = "smacks_hibernation_time = 3600"


def server(settings: str = STAYS, *modules: str) -> Prosody:
    return Prosody(
        domain=DOMAIN,
        users=dict.fromkeys([*PEOPLE, CONTACT], PASSWORD),
        contacts={CONTACT: PEOPLE},
        modules=(*MODULES, *modules),
        settings=settings,
    )


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    with server() as running:
        yield running


_numbers = count()


@pytest.fixture
def user() -> Account:
    """Return the account of somebody whom no other test knows."""
    number = next(_numbers)
    user = account(PEOPLE[number])
    user.id = number + 1
    return user


class Run:
    """Runs over one account, each with a publisher of its own."""

    def __init__(self, prosody: Prosody, user: Account) -> None:
        self.prosody = prosody
        self.user = user

    async def __call__(
        self, status: str | None, password: str = PASSWORD, answer_deadline: float = 20
    ) -> bool:
        async with nothing_left():
            return await run(
                self.prosody.address,
                tls_for(self.prosody),
                self.user,
                status,
                password=password,
                answer_deadline=answer_deadline,
            )


@pytest.fixture
def sync(prosody: Prosody, user: Account) -> Run:
    return Run(prosody, user)


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the resources of all logins that were begun, a list that grows."""
    begun: list[str] = []
    log_in = Client.log_in

    async def noting(self: Client, *args: tuple[str, int] | None, **kwargs: float) -> None:
        begun.append(self.requested_jid.resource)
        await log_in(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "log_in", noting)
    return begun


async def seen_by_a_newcomer(prosody: Prosody, user: Account) -> Seen:
    async with witness(prosody) as contact:
        return await contact.until(user.name, lambda seen: seen.priority is not None)


def resource_of(user: Account) -> str:
    memory = LINGERING.recall(user)
    assert memory
    return str(memory["jid"]).partition("/")[2]


def has_left(seen: Seen) -> bool:
    return seen.resource != "" and seen.show == "unavailable"


async def send_to_resource(
    contact: Contact, user: Account, number: int, kind: Literal["chat", "headline"]
) -> None:
    to = JID(f"{user.jid}/{resource_of(user)}")
    for index in range(number):
        contact.client.send_message(to, f"number {index}", mtype=kind)
    await contact.seen(["nobody"], deadline=20)


async def test_run_by_run_in_processes_of_their_own(prosody: Prosody, user: Account) -> None:
    await run_elsewhere(prosody, user, "Out for tea", PASSWORD)
    seen = await seen_by_a_newcomer(prosody, user)
    assert (seen.status, seen.show, seen.priority) == ("Out for tea", "xa", -1)
    first = resource_of(user)

    async with witness(prosody) as contact:
        await contact.until(user.name, lambda seen: seen.status == "Out for tea")
        await run_elsewhere(prosody, user, "Back again", PASSWORD)
        await contact.until(user.name, lambda seen: seen.status == "Back again")
        assert [seen.show for who, seen in contact.history if who == user.name and seen.resource]
        assert all(seen.show == "xa" for _, seen in contact.history if seen.resource == first)
    assert resource_of(user) == first
    assert (await seen_by_a_newcomer(prosody, user)).status == "Back again"


async def test_what_is_kept(sync: Run, user: Account, logins: list[str]) -> None:
    await sync("Out for tea")
    until = lingers_until(user)
    assert until
    assert 3500 < (until - now()).total_seconds() <= 3600
    memory = LINGERING.recall(user)
    assert memory
    assert memory["id"].get_secret_value() not in (user.session_memory or "")
    assert "Out for tea" not in (user.session_memory or "")
    other = Account(**user.model_dump() | {"id": 99})
    assert LINGERING.recall(other) is None, "it opens for the one account"
    moved = Account(**user.model_dump() | {"jid": f"{user.name}@elsewhere.example"})
    assert LINGERING.recall(moved) is None, "and for the one server"
    assert len(logins) == 1


async def test_renewal_tells_nobody_anything(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    await sync("Out for tea")
    async with witness(prosody) as contact:
        await contact.until(user.name, lambda seen: seen.activity == seen.status == "Out for tea")
        await contact.seen(["nobody"], deadline=5)
        before = list(contact.history)
        assert not await sync("Out for tea")
        assert not await sync("Out for tea")
        await contact.seen(["nobody"], deadline=5)
        assert contact.history == before
    assert len(logins) == 3
    assert lingers_until(user)


async def test_clearing_takes_leave(prosody: Prosody, sync: Run, user: Account) -> None:
    await sync("Out for tea")
    async with witness(prosody) as contact:
        await contact.until(user.name, lambda seen: seen.status == "Out for tea")
        await sync(None)
        gone = await contact.until(user.name, lambda seen: seen.show == "unavailable")
        assert (gone.status, gone.activity) == (None, None)
    assert user.session_memory is None


async def test_words_set_by_hand_take_ours_down(prosody: Prosody, sync: Run, user: Account) -> None:
    await sync("Out for tea")
    async with Device(prosody, user.name) as phone, witness(prosody) as contact:
        await phone.client.plugin["xep_0108"].publish_activity("undefined", text="My own")
        await sync("My own")
        await contact.until(user.name, lambda seen: seen.resource != "phone" and not seen.priority)
    assert user.session_memory is None


async def test_messages_go_to_the_phone(prosody: Prosody, sync: Run, user: Account) -> None:
    got: asyncio.Queue[str] = asyncio.Queue()
    async with witness(prosody) as contact:
        await sync("Out for tea")
        contact.client.send_message(JID(user.jid), "Are you there?", mtype="chat")
        await contact.seen(["nobody"], deadline=5)
        async with Device(prosody, user.name) as phone:
            phone.client.add_event_handler("message", lambda it: got.put_nowait(it["body"]))
            contact.client.send_message(JID(user.jid), "And now?", mtype="chat")
            async with asyncio.timeout(10):
                assert [await got.get(), await got.get()] == ["Are you there?", "And now?"]


async def test_messages_to_our_very_resource_come_back(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    returned: asyncio.Queue[Message] = asyncio.Queue()
    await sync("Out for tea")
    async with witness(prosody) as contact:
        contact.client.add_event_handler("message_error", returned.put_nowait)
        await send_to_resource(contact, user, 2, "chat")
        await send_to_resource(contact, user, 1, "headline")
        assert returned.empty()
        await sync("Back again")
        async with asyncio.timeout(10):
            answers = [await returned.get(), await returned.get()]
        assert {it["error"]["condition"] for it in answers} == {"service-unavailable"}
        await sync("Back for good")
        await contact.seen(["nobody"], deadline=5)
        assert returned.empty(), "what was acknowledged does not come again"
    assert len(logins) == 3


async def test_messages_in_the_archive_do_not(user: Account) -> None:
    with server(STAYS, "mam") as prosody:
        sync = Run(prosody, user)
        await sync("Out for tea")
        returned: list[Message] = []
        async with witness(prosody) as contact:
            contact.client.add_event_handler("message_error", returned.append)
            await send_to_resource(contact, user, 1, "chat")
            await sync("Back again")
            await contact.seen(["nobody"], deadline=5)
        assert returned == []


async def goes_on(sync: Run, status: str) -> None:
    """Check that a contact sees a run's status, on one resource, and that the next one resumes."""
    async with witness(sync.prosody) as contact:
        await contact.until(sync.user.name, lambda seen: seen.status == status)
        assert lingers_until(sync.user)
        resource = resource_of(sync.user)
        await sync(f"{status}, still")
        await contact.until(sync.user.name, lambda seen: seen.status == f"{status}, still")
        assert resource_of(sync.user) == resource
    async with witness(sync.prosody) as contact:
        await contact.until(sync.user.name, lambda seen: seen.status == f"{status}, still")
        await contact.seen(["nobody"], deadline=5)
        shown = {it.resource for who, it in contact.history if who == sync.user.name}
        assert shown - {""} == {resource}, "no ghost beside it"


async def test_id_that_is_lost(sync: Run, user: Account, logins: list[str]) -> None:
    await sync("Out for tea")
    memory = LINGERING.recall(user)
    until = lingers_until(user)
    assert memory
    assert until
    LINGERING.remember(user, memory | {"id": "no-such-thing"}, until)
    await kick(sync)
    assert await sync("Back again")
    assert len(logins) == 2, "one login says so, and goes on as a new session"
    await goes_on(sync, "Back again")


async def kick(sync: Run) -> None:
    """End what lingers, as by another login of the same name."""
    async with Device(sync.prosody, sync.user.name, resource_of(sync.user)):
        pass


async def test_server_that_was_restarted(prosody: Prosody, sync: Run, logins: list[str]) -> None:
    await sync("Out for tea")
    await asyncio.to_thread(prosody.restart)
    assert await sync("Back again")
    assert len(logins) == 2
    await goes_on(sync, "Back again")


async def test_run_that_died_before_it_was_recorded(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    await sync("Out for tea")
    recorded = user.session_memory
    async with witness(prosody) as contact:
        await contact.until(user.name, lambda seen: seen.status == "Out for tea")
    await sync("Back again")
    user.session_memory = recorded
    await sync("Back for good", answer_deadline=3)
    assert len(logins) <= 4
    await goes_on(sync, "Back for good")


async def test_presence_that_was_lost_is_shown_again(
    prosody: Prosody, sync: Run, user: Account
) -> None:
    await sync("Out for tea")
    await kick(sync)
    async with witness(prosody) as contact:
        await contact.until(user.name, lambda seen: seen.activity == "Out for tea")
        await contact.seen(["nobody"], deadline=5)
        before = [who for who, _ in contact.history].count(user.name)
        assert not await sync("Out for tea"), "the server still has the activity"
        await contact.until(user.name, lambda seen: seen.status == "Out for tea")
        await contact.seen(["nobody"], deadline=5)
        after = [who for who, _ in contact.history].count(user.name)
        assert after == before + 1, "presence, and not the activity again"
    await goes_on(sync, "Out for tea")


async def test_six_hundred_stanzas_meanwhile(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    await sync("Out for tea")
    async with witness(prosody) as contact:
        await send_to_resource(contact, user, 600, "headline")
    assert await sync("Back again", answer_deadline=3)
    assert len(logins) == 3, "one that got no answer, and one that ended what would not answer"
    assert logins[2] == logins[0] == resource_of(user)
    await goes_on(sync, "Back again")


async def test_name_that_somebody_else_took(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    await sync("Out for tea")
    taken = resource_of(user)
    async with Device(prosody, user.name, taken) as other:
        assert await sync("Back again")
        await other.settle()
        assert other.client.is_connected(), "nobody is thrown out"
    assert resource_of(user) != taken
    assert len(logins) == 2
    await goes_on(sync, "Back again")


async def test_password_that_was_changed(
    prosody: Prosody, sync: Run, user: Account, logins: list[str]
) -> None:
    await sync("Out for tea")
    write_accounts(prosody._home / "data", DOMAIN, {user.name: "another"})
    with pytest.raises(LoginRefused):
        await sync("Back again")
    assert len(logins) == 2, "a refused password is tried once"
    assert user.session_memory
    assert await sync("Back again", "another")
    assert len(logins) == 3


@pytest.mark.parametrize("settings", ["", "smacks_hibernation_time = 2399"])
async def test_server_that_keeps_nothing_long_enough(user: Account, settings: str) -> None:
    with server(settings) as prosody:
        sync = Run(prosody, user)
        async with witness(prosody) as contact:
            await sync("Out for tea")
            gone = await contact.until(user.name, has_left)
            assert gone.status == "Out for tea"
        assert user.session_memory is None


async def test_server_without_stream_management(user: Account) -> None:
    modules = [name for name in MODULES if name != "smacks"]
    with Prosody(
        domain=DOMAIN,
        users=dict.fromkeys([user.name, CONTACT], PASSWORD),
        contacts={CONTACT: [user.name]},
        modules=modules,
    ) as prosody:
        async with witness(prosody) as contact:
            await Run(prosody, user)("Out for tea")
            gone = await contact.until(user.name, has_left)
            assert gone.status == "Out for tea"
    assert user.session_memory is None
