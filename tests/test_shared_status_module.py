"""The module for Prosody, with ordinary clients: whose words a contact sees, and when."""

import asyncio
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from slixmpp.stanza import Presence

from demo.contact import Contact, Seen
from demo.prosody import MODULES, Prosody
from tests.fixtures_xmpp import CONTACT, witness
from tests.xmpp_device import NS, Device
from tests.xmpp_peer import DOMAIN, PASSWORD

MODULE = Path(__file__).parent.parent / "deployments" / "prosody"
PEOPLE = [f"sharer{number}" for number in range(30)]
ROOM = f"room@rooms.{DOMAIN}"
HELLO = "<status>Hello &amp; welcome</status><show>default</show><invisible value='false'/>"


def server() -> Prosody:
    return Prosody(
        domain=DOMAIN,
        users=dict.fromkeys([*PEOPLE, CONTACT, "stranger"], PASSWORD),
        contacts={CONTACT: PEOPLE},
        modules=(*MODULES, "shared_status"),
        plugin_paths=[MODULE],
        host_settings=f'Component "rooms.{DOMAIN}" "muc"\n  muc_room_locking = false',
    )


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    with server() as running:
        yield running


_numbers = count()


@pytest.fixture
def person() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


def of_phone(contact: Contact, name: str) -> list[Seen]:
    return [seen for who, seen in contact.history if who == name and seen.resource == "phone"]


async def test_feature_is_announced(prosody: Prosody, person: str) -> None:
    async with Device(prosody, person) as phone:
        found = await phone.ask('<query xmlns="http://jabber.org/protocol/disco#info"/>', to=DOMAIN)
        assert f'<feature var="{NS}">' in found


async def test_contacts_see_it_on_the_phone_when_the_setter_has_gone(
    prosody: Prosody, person: str
) -> None:
    async with witness(prosody) as contact, Device(prosody, person):
        async with Device(prosody, person, "batch") as batch:
            batch.client.send_presence(ptype="unavailable")
            await batch.share(HELLO)
        seen = await contact.until(person, lambda it: it.status == "Hello & welcome")
        assert (seen.resource, seen.show, seen.priority) == ("phone", "available", 0)
        async with Device(prosody, CONTACT, "later") as later:
            seen = await later.until(person, lambda it: it.resource == "phone")
            assert seen.status == "Hello & welcome"


async def test_own_words_win_and_come_back(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(HELLO)
        phone.show("My own words", "away")
        await contact.until(person, lambda it: (it.status, it.show) == ("My own words", "away"))
        await phone.share(HELLO.replace("Hello", "Goodbye"))
        await phone.settle()
        phone.show(show="away")
        seen = await contact.until(person, lambda it: it.status == "Goodbye & welcome")
        assert seen.show == "away"
        assert "Hello & welcome" not in [it.status for it in of_phone(contact, person)[2:]]
        phone.show("  ")
        await phone.settle()
        assert (await contact.until(person, lambda it: it.show == "available")).status == (
            "Goodbye & welcome"
        )


async def test_clearing(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(HELLO)
        await contact.until(person, lambda it: bool(it.status))
        await phone.share("<status/><show>default</show><invisible value='false'/>")
        await contact.until(person, lambda it: it.status is None and it.show == "available")


async def test_new_login_shows_it(prosody: Prosody, person: str) -> None:
    async with Device(prosody, person) as phone:
        await phone.share(HELLO)
    async with witness(prosody) as contact, Device(prosody, person):
        await contact.until(person, lambda it: it.status == "Hello & welcome")


async def test_every_device_without_words(prosody: Prosody, person: str) -> None:
    async with (
        witness(prosody) as contact,
        Device(prosody, person) as phone,
        Device(prosody, person, "desk") as desk,
    ):
        desk.show("At my desk", "dnd")
        await desk.settle()
        await phone.share(HELLO)
        await contact.until(person, lambda it: it.status == "Hello & welcome")
        await phone.settle()
        at_desk = [
            seen for who, seen in contact.history if who == person and seen.resource == "desk"
        ]
        assert {(it.status, it.show) for it in at_desk[1:]} == {("At my desk", "dnd")}


async def test_nothing_happens_where_nothing_changed(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(HELLO)
        await contact.until(person, lambda it: bool(it.status))
        before = len(contact.history)
        await phone.share(HELLO)
        await phone.settle()
        await contact.seen(["nobody"], deadline=2)
        assert len(contact.history) == before


async def test_server_restarted() -> None:
    name = PEOPLE[0]
    with server() as prosody:
        async with Device(prosody, name) as phone:
            await phone.share(HELLO)
        await asyncio.to_thread(prosody.restart)
        async with witness(prosody) as contact, Device(prosody, name) as phone:
            await contact.until(name, lambda it: it.status == "Hello & welcome")
            assert "Hello &amp; welcome" in await phone.shared()


async def test_rooms_and_directed_presence_get_nothing(prosody: Prosody, person: str) -> None:
    async with Device(prosody, "stranger") as stranger, Device(prosody, person) as phone:
        await phone.share(HELLO)
        seen: list[Presence] = []
        stranger.client.add_event_handler("presence", seen.append)
        stranger.join(f"{ROOM}/stranger")
        await stranger.until("room", lambda it: it.resource == "stranger")
        phone.join(f"{ROOM}/sharer")
        await stranger.until("room", lambda it: it.resource == "sharer")
        phone.show(pto=f"stranger@{DOMAIN}")
        await stranger.until(person, lambda it: it.resource == "phone")
        await phone.share(HELLO.replace("Hello", "Goodbye"))
        await phone.settle()
        await stranger.seen(["nobody"], deadline=2)
        assert len(seen) >= 3
        assert not any(presence["status"] for presence in seen)


STATE = (
    "<status>Out for tea</status><show>dnd</show>"
    '<status-list show="default"><status>Out for tea</status><status>Working</status></status-list>'
    '<status-list show="dnd"><status>Do not disturb</status></status-list>'
    '<invisible value="false"></invisible>'
)


async def test_a_client_of_the_time(prosody: Prosody, person: str) -> None:
    """What it sends comes back byte for byte, with the limits on it; others are pushed the same."""
    async with Device(prosody, person) as phone, Device(prosody, person, "desk") as desk:
        attributes = "".join(f' {name}="{value}"' for name, value in sorted(LIMITED.items()))
        empty = '<status></status><show>default</show><invisible value="false"></invisible>'
        assert await phone.shared() == f'<query xmlns="{NS}"{attributes}>{empty}</query>'
        await desk.shared()
        await phone.share(STATE)
        expected = f'<query xmlns="{NS}"{attributes}>{STATE}</query>'
        assert await phone.shared() == expected
        await desk.settle()
        assert desk.pushes == [expected]
        assert phone.pushes == []


LIMITED = {
    "version": "2",
    "status-max": "512",
    "status-list-max": "3",
    "status-list-contents-max": "5",
    "status-min-ver": "0",
}


async def test_show_is_honoured(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(STATE)
        await contact.until(person, lambda it: (it.status, it.show) == ("Out for tea", "dnd"))
        phone.show(show="xa")
        await contact.until(person, lambda it: (it.status, it.show) == ("Out for tea", "xa"))
        phone.show()
        await contact.until(person, lambda it: it.show == "dnd")
        await phone.share(STATE.replace("<show>dnd", "<show>default"))
        await contact.until(person, lambda it: it.show == "available")


async def test_invisible_is_honoured(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await contact.until(person, lambda it: it.show == "available")
        await phone.share(HELLO.replace("'false'", "'true'"))
        await contact.until(person, lambda it: it.show == "unavailable")
        before = len(contact.history)
        phone.show("Am I here?")
        async with Device(prosody, person, "desk") as desk:
            await desk.settle()
        async with Device(prosody, CONTACT, "later") as later:
            await later.seen(["nobody"], deadline=2)
            assert of_phone(later, person) == []
        assert not any(seen.show == "available" for _, seen in contact.history[before:])
        await phone.share(HELLO)
        seen = await contact.until(person, lambda it: it.show == "available")
        assert seen.status == "Am I here?"


@pytest.mark.parametrize(
    "state",
    [
        f"<status>{'x' * 513}</status>",
        "<status>x</status><show>busy</show>",
        "<status>x</status><invisible value='perhaps'/>",
        "<status>x</status><status-list show='busy'/>",
        f"<status>x</status><status-list><status>{'x' * 513}</status></status-list>",
    ],
)
async def test_state_that_cannot_be(prosody: Prosody, person: str, state: str) -> None:
    async with Device(prosody, person) as phone:
        assert await phone.refused(state) == "not-acceptable"
        assert "<status></status>" in await phone.shared()


async def test_elements_where_words_belong(prosody: Prosody, person: str) -> None:
    strange = "<status><b xmlns='urn:strange'/></status>"
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(f"<status>Here</status><status-list>{strange}</status-list>")
        await contact.until(person, lambda it: it.status == "Here")
        phone.client.send_raw(f"<presence><show>dnd</show>{strange}</presence>")
        await contact.until(person, lambda it: (it.show, it.status) == ("dnd", "Here"))


async def test_length_is_of_characters(prosody: Prosody, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(f"<status>{'é🍂' * 256}</status>")
        await contact.until(person, lambda it: it.status == "é🍂" * 256)


async def test_lists_are_bounded(prosody: Prosody, person: str) -> None:
    items = "".join(f"<status>{number}</status>" for number in range(9))
    lists = f"<status-list show='dnd'>{items}</status-list>" * 9
    async with Device(prosody, person) as phone:
        await phone.share(f"<status>x</status>{lists}")
        state = await phone.shared()
        assert state.count("<status-list ") == 3
        assert state.count("<status>") == 1 + 3 * 5


async def test_changes_are_limited_for_each_user(prosody: Prosody) -> None:
    one, other = PEOPLE[-1], PEOPLE[-2]
    async with Device(prosody, one) as phone:
        refusal = ""
        for number in range(20):
            try:
                await phone.share(f"<status>{number}</status>")
            except Exception as error:  # noqa: BLE001
                refusal = str(error)
                break
        assert "resource-constraint" in refusal
    async with Device(prosody, other) as phone:
        await phone.share(HELLO)


async def test_nobody_else_reads_or_writes_it(prosody: Prosody, person: str) -> None:
    async with Device(prosody, CONTACT, "nosy") as nosy:
        assert await nosy.refused(HELLO, to=f"{person}@{DOMAIN}") == "service-unavailable"
        with pytest.raises(Exception, match="service-unavailable"):
            await nosy.ask(f'<query xmlns="{NS}" version="2"/>', to=f"{person}@{DOMAIN}")


def test_luacheck_finds_nothing() -> None:
    checked = subprocess.run(
        ["luacheck", "--quiet", "mod_shared_status.lua"],  # noqa: S607
        cwd=MODULE,
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
