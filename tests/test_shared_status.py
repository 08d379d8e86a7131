"""The carrier `shared_status`: the documented exchange, and the login that finds and uses it."""

from itertools import count
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from demo.contact import Contact
from lastword.publishers.base import MIXED, Confirmation
from lastword.publishers.login import Login
from lastword.publishers.shared_status import changed
from tests.fixtures_operator import PEOPLE, Governed
from tests.fixtures_xmpp import account, login_to, nothing_left, tls_for, witness
from tests.xmpp_device import Device

SHARED = Confirmation("shared_status")
NS = "google:shared-status"
_numbers = count(40)


@pytest.fixture
def person() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


@pytest.fixture
def login(governed: Governed) -> Login:
    return login_to(governed.address, tls_for(governed))


def state(inner: str, limits: str = "") -> str:
    return f'<query xmlns="{NS}" version="2" {limits}>{inner}</query>'


def parsed(text: str) -> Element:
    return fromstring(text)  # noqa: S314 (ours)


def written(given: str, status: str | None) -> str:
    text = tostring(changed(parsed(given), status), encoding="unicode")
    return text.replace("ns0:", "").replace(":ns0", "")


LIMITS = 'status-max="512" status-list-max="3" status-list-contents-max="5" status-min-ver="0"'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "<status>Old</status><show>default</show><invisible value='false'/>",
            (
                '<status>New</status><show>default</show><status-list show="default"><status>New'
                '</status></status-list><invisible value="false" />'
            ),
        ),
        (
            (
                "<status>Old</status><show>dnd</show>"
                "<status-list show='default'><status>At home</status></status-list>"
                "<status-list show='dnd'><status>Busy</status><status>New</status></status-list>"
                "<invisible value='true'/>"
            ),
            (
                "<status>New</status><show>dnd</show>"
                '<status-list show="default"><status>At home</status></status-list>'
                '<status-list show="dnd"><status>New</status><status>Busy</status></status-list>'
                '<invisible value="true" />'
            ),
        ),
        (
            "",
            '<status>New</status><status-list show="default"><status>New</status></status-list>',
        ),
    ],
)
def test_full_state_is_sent_back(before: str, after: str) -> None:
    assert (
        written(state(before, LIMITS), "New") == f'<query xmlns="{NS}" version="2">{after}</query>'
    )


def test_list_keeps_its_length() -> None:
    texts = "".join(f"<status>{number}</status>" for number in range(5))
    given = state(f"<status/><status-list show='default'>{texts}</status-list>", LIMITS)
    found = parsed(written(given, "New")).iterfind(f"{{{NS}}}status-list/{{{NS}}}status")
    assert [one.text for one in found] == ["New", "0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("limit", "length"), [("10", 10), ("0", 512), ("-1", 512), ("many", 512), ("9" * 30, 512)]
)
def test_cut_to_what_the_server_takes(limit: str, length: int) -> None:
    found = parsed(written(state("", f'status-max="{limit}"'), "👩‍👩‍👧‍👦" * 300))
    text = found.findtext(f"{{{NS}}}status") or ""
    assert length - 7 <= len(text) <= length
    assert text.endswith("…")


def test_clearing_leaves_the_list_alone() -> None:
    given = "<status>Old</status><status-list show='default'><status>Old</status></status-list>"
    assert written(state(given), None) == (
        f'<query xmlns="{NS}" version="2"><status />'
        '<status-list show="default"><status>Old</status></status-list></query>'
    )


async def phone_says(contact: Contact, name: str, status: str | None) -> None:
    await contact.until(name, lambda seen: seen.resource == "phone" and seen.status == status)


async def test_login_uses_it_and_shows_no_device_of_its_own(
    governed: Governed, login: Login, person: str
) -> None:
    async with witness(governed) as contact, Device(governed, person):
        async with login.session(account(person)) as session:
            assert await session.current() is None
            assert await session.set("Out for tea") == SHARED
            assert await session.current() == "Out for tea"
        await phone_says(contact, person, "Out for tea")
        assert {seen.resource for who, seen in contact.history if who == person} <= {"", "phone"}
    async with nothing_left(), login.session(account(person)) as session:
        assert await session.current() == "Out for tea"
        assert await session.set(None) == SHARED
        assert await session.current() is None


async def test_words_that_the_server_cut_are_still_ours(login: Login, person: str) -> None:
    row = account(person)
    row.published_status = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}" * 200
    async with login.session(row) as session:
        await session.current()
        await session.set(row.published_status)
        assert await session.current() == row.published_status


async def test_the_users_own_words_are_not_cleared_with_ours(
    governed: Governed, login: Login, person: str
) -> None:
    row = account(person)
    row.pep = "activity"
    async with login.session(row) as session:
        await session.current()
        await session.set("Out for tea")
    row.published_status = "Out for tea"
    async with Device(governed, person) as phone:
        await phone.ask(state("<status>At lunch</status>"), kind="set")
        async with login.session(row) as session:
            assert await session.current() is MIXED
            await session.set(None)
        assert "At lunch" in await phone.ask(state(""))
        activity = "<items node='http://jabber.org/protocol/activity'/>"
        pubsub = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{activity}</pubsub>"
        assert "Out for tea" not in await phone.ask(pubsub)


async def test_activity_of_before_is_retracted(
    governed: Governed, login: Login, person: str
) -> None:
    """The server could not do this until now."""
    had = account(person)
    had.pep_memory = {"held": {"activity": "presence"}}
    async with witness(governed) as contact, Device(governed, person) as phone:
        await phone.ask(
            '<pubsub xmlns="http://jabber.org/protocol/pubsub"><publish'
            ' node="http://jabber.org/protocol/activity"><item id="current">'
            '<activity xmlns="http://jabber.org/protocol/activity"><undefined/>'
            "<text>Old</text></activity></item></publish></pubsub>",
            kind="set",
        )
        await contact.until(person, lambda seen: seen.activity == "Old")
        async with login.session(had) as session:
            await session.current()
            assert await session.set("New") == SHARED
        await contact.until(person, lambda seen: seen.activity is None and seen.status == "New")
