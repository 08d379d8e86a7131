"""Activity, microblog and tune: what contacts are told of a status, once, and what stays theirs."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count
from xml.etree.ElementTree import fromstring

import pytest

from demo.operated import NAMESPACES
from demo.prosody import Prosody
from lastword.errors import Deferred, Rejected
from lastword.post import Post
from lastword.publishers.base import Confirmation
from lastword.publishers.login import Login
from lastword.publishers.operator import Operator
from lastword.publishers.pubsub import ITEMS, OWNER
from models import Account
from tests.fixtures_operator import PEOPLE, Governed, operating
from tests.fixtures_xmpp import account, login_to, tls_for
from tests.xmpp_device import Device
from tests.xmpp_follower import ACTIVITY, MICROBLOG, Follower, Told
from tests.xmpp_peer import DOMAIN

PUBSUB = "http://jabber.org/protocol/pubsub"
READING = (*NAMESPACES, ITEMS, OWNER)
TEA = Post("1", "Out for tea", "https://a.example/1?a&b", datetime(2026, 3, 1, 10, tzinfo=UTC))
HOME = Post("2", "Home again", "https://a.example/2", datetime(2026, 3, 1, 11, tzinfo=UTC))
ALL = "activity,microblog,tune"
KINDS = ALL.split(",")

Publisher = Login | Operator
_numbers = count()
_guests = count(55)


@pytest.fixture(scope="module")
def server() -> Iterator[Governed]:
    """A Prosody without a shared status whose operator lets us read what microblog needs."""
    with Governed(namespaces=READING, modules=("privilege",)) as server:
        yield server


@pytest.fixture(params=["login", "operator"])
async def publisher(server: Governed, request: pytest.FixtureRequest) -> AsyncIterator[Publisher]:
    async with operating(server) as operator:
        yield operator if request.param == "operator" else _login(server)


@pytest.fixture
def person() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


@pytest.fixture
def guest() -> str:
    """Return the name of somebody on the server that all tests share."""
    return PEOPLE[next(_guests)]


def _login(server: Prosody) -> Login:
    return login_to(server.address, tls_for(server))


def wanting(name: str, pep: str = ALL, **more: object) -> Account:
    row = account(name)
    row.pep = pep
    for field, value in more.items():
        setattr(row, field, value)
    return row


async def publish(publisher: Publisher, row: Account, post: Post | None) -> Confirmation:
    """Set the post's text, or clear it, as a run would, and remember it on the row."""
    status = post.text if post else None
    async with publisher.session(row) as session:
        await session.current()
        confirmation = await session.set(status, post)
    row.published_status = status
    return confirmation


@pytest.mark.parametrize("kind", KINDS)
async def test_contacts_are_told_once_per_change(
    server: Governed, publisher: Publisher, person: str, kind: str
) -> None:
    row = wanting(person, kind)
    async with Follower(server) as follower:
        held = await publish(publisher, row, TEA)
        assert held.carrier in ("pep", "pep+presence")
        assert not held.notice
        assert await follower.told_of(person) == [Told(kind, TEA.text)]
        async with publisher.session(row) as session:  # which is all that an unchanged run does
            assert await session.current() == TEA.text
        assert await follower.told_of(person) == []
        await publish(publisher, row, HOME)
        # An entry that gives way is retracted, for clients that keep what they have seen.
        gone = [Told(kind, None)] if kind == "microblog" else []
        assert await follower.told_of(person) == [Told(kind, HOME.text), *gone]
        await publish(publisher, row, HOME)  # as by `force`: whoever insists is told again
        assert await follower.told_of(person) == [Told(kind, HOME.text)]
        await publish(publisher, row, None)
        assert await follower.told_of(person) == [Told(kind, None)]
        async with publisher.session(row) as session:
            assert await session.current() is None
    assert row.pep_memory == {"asked": kind, "held": {}}


async def test_what_one_node_has_already_is_not_told_again(
    server: Governed, publisher: Publisher, person: str
) -> None:
    row = wanting(person, "activity")
    async with Follower(server) as follower:
        await publish(publisher, row, TEA)
        await follower.told_of(person)
        row.pep = "activity,tune"
        await publish(publisher, row, TEA)
        assert await follower.told_of(person) == [Told("tune", TEA.text)]
        row.pep = "tune"
        async with publisher.session(row) as session:
            assert await session.current() is None, "something is left to be taken back"
        await publish(publisher, row, TEA)
        assert await follower.told_of(person) == [Told("activity", None)]
    assert row.pep_memory == {"asked": "tune", "held": {"tune": "presence"}}


async def is_at_lunch(phone: Device) -> None:
    """Let the user say so by an activity."""
    await phone.ask(
        f"<pubsub xmlns='{PUBSUB}'><publish node='{ACTIVITY}'><item id='current'>"
        f"<activity xmlns='{ACTIVITY}'><text>At lunch</text></activity></item></publish>"
        "</pubsub>",
        "set",
    )


async def test_words_of_the_user_are_left_where_we_leave(
    server: Governed, publisher: Publisher, person: str
) -> None:
    row = wanting(person, "activity,tune")
    await publish(publisher, row, TEA)
    async with Device(server, person) as phone:
        await is_at_lunch(phone)
        row.pep = "tune"
        await publish(publisher, row, HOME)
        assert "At lunch" in await phone.ask(
            f"<pubsub xmlns='{PUBSUB}'><items node='{ACTIVITY}'/></pubsub>"
        )
    assert row.pep_memory == {"asked": "tune", "held": {"tune": "presence"}}


async def test_words_that_were_there_before_us_are_not_taken_back(
    server: Governed, publisher: Publisher, person: str
) -> None:
    row = wanting(person, "activity")
    async with Device(server, person) as phone:
        await is_at_lunch(phone)
        async with publisher.session(row) as session:
            assert await session.current() == "At lunch"
        row.pep = "tune"
        await publish(publisher, row, HOME)
        assert "At lunch" in await phone.ask(
            f"<pubsub xmlns='{PUBSUB}'><items node='{ACTIVITY}'/></pubsub>"
        )


# Microblog, among what the user writes there.


async def entries(phone: Device) -> str:
    return await phone.ask(f"<pubsub xmlns='{PUBSUB}'><items node='{MICROBLOG}'/></pubsub>")


async def writes(phone: Device, number: str) -> None:
    """Let the user write an entry; the node is made with what PEP has by default."""
    await phone.ask(
        f"<pubsub xmlns='{PUBSUB}'><publish node='{MICROBLOG}'><item id='{number}'>"
        f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{number}</title></entry>"
        "</item></publish></pubsub>",
        "set",
    )


async def configure(phone: Device, node: str, **options: str) -> None:
    fields = "".join(
        f"<field var='pubsub#{it}'><value>{value}</value></field>" for it, value in options.items()
    )
    await phone.ask(
        f"<pubsub xmlns='{OWNER}'><configure node='{node}'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE' type='hidden'>"
        f"<value>{PUBSUB}#node_config</value></field>{fields}</x></configure></pubsub>",
        "set",
    )


async def test_entry_is_proper_atom(server: Governed, publisher: Publisher, person: str) -> None:
    row = wanting(person, "microblog")
    atom = "{http://www.w3.org/2005/Atom}"

    async def entry() -> dict[str, str | None]:
        async with Device(server, person) as phone:
            found = list(fromstring(await entries(phone)).iter(f"{atom}entry"))  # noqa: S314
        assert len(found) == 1
        link = found[0].find(f"{atom}link")
        values = {
            it: found[0].findtext(f"{atom}{it}")
            for it in ("title", "id", "published", "updated", "content")
        }
        values |= {"uri": found[0].findtext(f"{atom}author/{atom}uri")}
        return values | {"link": None if link is None else link.get("href")}

    await publish(publisher, row, TEA)
    first = await entry()
    assert first == {
        "title": TEA.text,
        "id": first["id"],
        "published": "2026-03-01T10:00:00+00:00",
        "updated": "2026-03-01T10:00:00+00:00",
        "content": None,
        "uri": f"xmpp:{person}@{DOMAIN}",
        "link": TEA.url,
    }
    assert (first["id"] or "").startswith("urn:uuid:")
    await publish(publisher, row, Post("1", "Out for coffee", TEA.url, TEA.time))
    edited = await entry()
    assert (edited["id"], edited["title"]) == (first["id"], "Out for coffee")
    assert edited["published"] == first["published"]
    assert (edited["updated"] or "") > (first["updated"] or "")
    await publish(publisher, row, Post("3", "No address"))
    assert (await entry())["content"] == "No address"


async def test_what_the_user_writes_is_kept(
    server: Governed, publisher: Publisher, person: str
) -> None:
    row = wanting(person, "microblog")
    await publish(publisher, row, TEA)
    async with Device(server, person) as phone:
        for number in ("mine-1", "mine-2"):
            await writes(phone, number)
        await publish(publisher, row, HOME)
        kept = await entries(phone)
        assert all(text in kept for text in ("mine-1", "mine-2", HOME.text))
        assert TEA.text not in kept
        await configure(phone, MICROBLOG, max_items="3")
        await publish(publisher, row, TEA)
        kept = await entries(phone)
        assert all(text in kept for text in ("mine-1", "mine-2", TEA.text))
        await publish(publisher, row, None)
        kept = await entries(phone)
        assert "mine-2" in kept
        assert "lastword-" not in kept


async def test_what_would_push_out_the_users_own_is_refused(
    server: Governed, publisher: Publisher, person: str
) -> None:
    row = wanting(person, "activity,microblog")
    async with Device(server, person) as phone, Follower(server) as follower:
        await writes(phone, "mine-1")
        await follower.told_of(person)
        with pytest.raises(Rejected, match="keeps 1 entries and holds 1 of the user's own"):
            await publish(publisher, row, TEA)
        assert await follower.told_of(person) == [], "nothing by halves"
        assert "mine-1" in await entries(phone)
        await configure(phone, MICROBLOG, max_items="2")
        await publish(publisher, row, TEA)
        await publish(publisher, row, HOME)
        kept = await entries(phone)
        assert "mine-1" in kept
        assert HOME.text in kept


async def test_operator_who_does_not_let_us_look(governed: Governed, guest: str) -> None:
    """The module is there, and microblog is wanted beside it."""
    row = wanting(guest, "microblog")
    async with operating(governed) as operator:
        with pytest.raises(Deferred, match=r'need \["http://jabber.org/protocol/disco#items"\]'):
            await publish(operator, row, TEA)


# Whom a node is for.


@pytest.mark.parametrize("model", ["whitelist", "open"])
async def test_access_model_of_the_users_choice_stays(
    server: Governed, publisher: Publisher, person: str, model: str
) -> None:
    row = wanting(person, "activity")
    async with Device(server, person) as phone, Follower(server) as follower:
        await phone.ask(f"<pubsub xmlns='{PUBSUB}'><create node='{ACTIVITY}'/></pubsub>", "set")
        await configure(phone, ACTIVITY, access_model=model)
        confirmation = await publish(publisher, row, HOME)
        told = await follower.told_of(person)
        await configure(phone, ACTIVITY, access_model="presence")
        await follower.told_of(person)
        assert (await publish(publisher, row, TEA)).notice == ""
        assert await follower.told_of(person) == [Told("activity", TEA.text)]
        held = row.pep_memory
        assert held == {"asked": "activity", "held": {"activity": "presence"}}
        await configure(phone, ACTIVITY, access_model=model)
        row = wanting(person, "activity")
        await publish(publisher, row, HOME)
    assert row.pep_memory == {"asked": "activity", "held": {"activity": model}}
    if model == "open":
        assert (told, confirmation.notice) == ([Told("activity", HOME.text)], "")
    else:
        assert told == []
        assert confirmation.notice == "not all contacts see the activity (access model whitelist)"


# Beside the shared status.


async def test_beside_the_shared_status_only_where_it_is_asked_for(
    governed: Governed, operator: Operator, guest: str
) -> None:
    row = wanting(guest, "")
    async with Follower(governed) as follower:
        for publisher in (operator, _login(governed)):
            row.pep = ""
            assert await publish(publisher, row, TEA) == Confirmation("shared_status")
            assert await follower.told_of(guest) == []
            row.pep = "activity"
            assert await publish(publisher, row, TEA) == Confirmation("shared_status+pep")
            assert await follower.told_of(guest) == [Told("activity", TEA.text)]
            row.pep = "none"
            assert await publish(publisher, row, TEA) == Confirmation("shared_status")
            assert await follower.told_of(guest) == [Told("activity", None)]


async def test_none_of_it(server: Governed, person: str) -> None:
    row = wanting(person, "none")
    async with Follower(server) as follower:
        assert await publish(_login(server), row, TEA) == Confirmation("presence")
        async with operating(server) as operator:
            with pytest.raises(Deferred, match="wants none of it"):
                await publish(operator, row, HOME)
        assert await follower.told_of(person) == []
