"""Activity, microblog and tune: what contacts are told of a status, once, and what stays theirs."""

from xml.etree.ElementTree import Element, fromstring

import pytest

from lastword.errors import Deferred, Transient
from lastword.publishers import pep
from lastword.publishers.base import MIXED, Confirmation
from lastword.publishers.operator import Operator
from tests.fixtures_operator import Governed, operating
from tests.fixtures_pep import (
    HOME,
    KINDS,
    PUBSUB,
    TEA,
    Publisher,
    configure,
    is_at_lunch,
    login_at,
    publish,
    wanting,
)
from tests.xmpp_device import Device
from tests.xmpp_follower import ACTIVITY, Follower, Told

pytestmark = pytest.mark.xdist_group("pep")


@pytest.mark.parametrize("kind", KINDS)
async def test_contacts_are_told_once_per_change(
    pep_server: Governed, publisher: Publisher, subscriber: str, kind: str
) -> None:
    row = wanting(subscriber, kind)
    async with Follower(pep_server) as follower:
        held = await publish(publisher, row, TEA)
        assert held.carrier in ("pep", "pep+presence")
        assert not held.notice
        assert await follower.told_of(subscriber) == [Told(kind, TEA.text)]
        async with publisher.session(row) as session:  # which is all that an unchanged run does
            assert await session.current() == TEA.text
        assert await follower.told_of(subscriber) == []
        await publish(publisher, row, HOME)
        # An entry that gives way is retracted, for clients that keep what they have seen.
        gone = [Told(kind, None)] if kind == "microblog" else []
        assert await follower.told_of(subscriber) == [Told(kind, HOME.text), *gone]
        await publish(publisher, row, HOME)  # as by `force`: whoever insists is told again
        assert await follower.told_of(subscriber) == [Told(kind, HOME.text)]
        await publish(publisher, row, None)
        assert await follower.told_of(subscriber) == [Told(kind, None)]
        async with publisher.session(row) as session:
            assert await session.current() is None
    assert row.pep_memory == {"asked": kind, "held": {}}


async def test_what_one_node_has_already_is_not_told_again(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "activity")
    async with Follower(pep_server) as follower:
        await publish(publisher, row, TEA)
        await follower.told_of(subscriber)
        row.pep = "activity,tune"
        await publish(publisher, row, TEA)
        assert await follower.told_of(subscriber) == [Told("tune", TEA.text)]
        row.pep = "tune"
        async with publisher.session(row) as session:
            assert await session.current() is MIXED, "something is left to be taken back"
        await publish(publisher, row, TEA)
        assert await follower.told_of(subscriber) == [Told("activity", None)]
    assert row.pep_memory == {"asked": "tune", "held": {"tune": "presence"}}


async def test_words_of_the_user_are_left_where_we_leave(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "activity,tune")
    await publish(publisher, row, TEA)
    async with Device(pep_server, subscriber) as phone:
        await is_at_lunch(phone)
        row.pep = "tune"
        await publish(publisher, row, HOME)
        assert "At lunch" in await phone.ask(
            f"<pubsub xmlns='{PUBSUB}'><items node='{ACTIVITY}'/></pubsub>"
        )
    assert row.pep_memory == {"asked": "tune", "held": {"tune": "presence"}}


async def test_ours_are_cleared_where_the_user_has_changed_the_others(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "activity,tune")
    await publish(publisher, row, TEA)
    async with Device(pep_server, subscriber) as phone:
        await is_at_lunch(phone)
        async with publisher.session(row) as session:
            assert await session.current() is MIXED
            await session.set(None)
        tune = f"<pubsub xmlns='{PUBSUB}'><items node='http://jabber.org/protocol/tune'/></pubsub>"
        assert TEA.text not in await phone.ask(tune)
        assert "At lunch" in await phone.ask(
            f"<pubsub xmlns='{PUBSUB}'><items node='{ACTIVITY}'/></pubsub>"
        )
    assert row.pep_memory == {"asked": "activity,tune", "held": {}}


async def test_words_that_were_there_before_us_are_not_taken_back(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "activity")
    async with Device(pep_server, subscriber) as phone:
        await is_at_lunch(phone)
        async with publisher.session(row) as session:
            assert await session.current() == "At lunch"
        row.pep = "tune"
        await publish(publisher, row, HOME)
        assert "At lunch" in await phone.ask(
            f"<pubsub xmlns='{PUBSUB}'><items node='{ACTIVITY}'/></pubsub>"
        )


class Refusing:
    """The line of a server that lets us read what is there, and change nothing."""

    domain = "chat.example"

    def may_read(self, namespace: str) -> bool:
        return bool(namespace)

    async def ask(self, kind: str, payload: Element, to: str | None = None) -> Element | None:
        del to
        if kind == "set":
            return None
        space = payload.tag[1:].partition("}")[0]
        words = f"<activity xmlns='{ACTIVITY}'><text>Hi</text></activity>"
        item = f"<query xmlns='{space}'><item name='lastword-1'>{words}</item></query>"
        return fromstring(f"<iq>{item}</iq>")  # noqa: S314 (ours)


@pytest.mark.parametrize("kind", ["activity", "microblog"])
async def test_what_cannot_be_taken_back_is_not_called_cleared(kind: str) -> None:
    node = pep.NODES[kind](Refusing(), wanting("alice", kind))
    await node.current()
    with pytest.raises(Transient, match="did not let us take the status back"):
        await node.clear()


# Whom a node is for.


@pytest.mark.parametrize("model", ["whitelist", "open"])
async def test_access_model_of_the_users_choice_stays(
    pep_server: Governed, publisher: Publisher, subscriber: str, model: str
) -> None:
    row = wanting(subscriber, "activity")
    async with Device(pep_server, subscriber) as phone, Follower(pep_server) as follower:
        await phone.ask(f"<pubsub xmlns='{PUBSUB}'><create node='{ACTIVITY}'/></pubsub>", "set")
        await configure(phone, ACTIVITY, access_model=model)
        confirmation = await publish(publisher, row, HOME)
        told = await follower.told_of(subscriber)
        await configure(phone, ACTIVITY, access_model="presence")
        await follower.told_of(subscriber)
        assert (await publish(publisher, row, TEA)).notice == ""
        assert await follower.told_of(subscriber) == [Told("activity", TEA.text)]
        held = row.pep_memory
        assert held == {"asked": "activity", "held": {"activity": "presence"}}
        await configure(phone, ACTIVITY, access_model=model)
        row = wanting(subscriber, "activity")
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
        for publisher in (operator, login_at(governed)):
            row.pep = ""
            assert await publish(publisher, row, TEA) == Confirmation("shared_status")
            assert await follower.told_of(guest) == []
            row.pep = "activity"
            assert await publish(publisher, row, TEA) == Confirmation("shared_status+pep")
            assert await follower.told_of(guest) == [Told("activity", TEA.text)]
            row.pep = "none"
            assert await publish(publisher, row, TEA) == Confirmation("shared_status")
            assert await follower.told_of(guest) == [Told("activity", None)]


async def test_none_of_it(pep_server: Governed, subscriber: str) -> None:
    row = wanting(subscriber, "none")
    async with Follower(pep_server) as follower:
        assert await publish(login_at(pep_server), row, TEA) == Confirmation("presence")
        async with operating(pep_server) as operator:
            with pytest.raises(Deferred, match="wants none of it"):
                await publish(operator, row, HOME)
        assert await follower.told_of(subscriber) == []
