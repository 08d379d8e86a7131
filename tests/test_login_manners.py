"""The publisher `login` as a guest in the user's account: what it does not do there."""

import asyncio
from contextlib import suppress

import pytest
from pydantic import SecretStr
from slixmpp import JID
from slixmpp.stanza import Message

from demo.contact import Contact, Seen
from demo.prosody import Prosody
from lastword.errors import LoginRefused, Rejected
from lastword.publishers.login import Login
from models import Account
from tests.fixtures_xmpp import account, login_to, nothing_left, tls_for, witness
from tests.xmpp_peer import DOMAIN


def of_us(contact: Contact, name: str) -> list[Seen]:
    """Return what was seen of a person since Last Word came."""
    return [seen for who, seen in contact.history if who == name and seen.resource]


async def test_leave_is_polite(prosody: Prosody, login: Login, person: str) -> None:
    async with witness(prosody) as contact:
        async with login.session(account(person)) as session:
            await session.set("Out for tea")
        await contact.until(person, lambda seen: seen.resource != "" and seen.priority is None)
        assert [seen.show for seen in of_us(contact, person)][-1] == "unavailable"
        last = contact.people[person]
        assert (last.status, last.activity) == ("Out for tea", "Out for tea")


async def test_nothing_is_shown_where_nothing_is_set(
    prosody: Prosody, login: Login, person: str
) -> None:
    async with login.session(account(person)) as session:
        await session.set("Out for tea")
    async with witness(prosody) as contact:
        await contact.until(person, lambda seen: bool(seen.activity))
        async with login.session(account(person)) as session:
            assert await session.current() == "Out for tea"
        await contact.seen(["nobody"], deadline=5)
        assert of_us(contact, person) == []


async def test_error_in_the_block(prosody: Prosody, login: Login, person: str) -> None:
    async with witness(prosody) as contact:
        with suppress(ZeroDivisionError):
            async with login.session(account(person)) as session:
                await session.set("Out for tea")
                await contact.until(person, lambda seen: seen.show == "xa")
                raise ZeroDivisionError
        gone = await contact.until(person, lambda seen: seen.show == "unavailable")
        assert gone.status is None


async def test_wrong_password(prosody: Prosody, person: str) -> None:
    login = login_to(prosody.address, tls_for(prosody), "not this one")
    async with nothing_left():
        with pytest.raises(LoginRefused, match=f"{DOMAIN} refused the password") as caught:
            async with login.session(account(person)):
                pass
    assert "not this one" not in str(caught.value)


async def test_user_who_does_not_exist(login: Login) -> None:
    with pytest.raises(LoginRefused, match="refused the password"):
        async with login.session(account("nobody")):
            pass


async def test_password_that_is_not_there(prosody: Prosody, person: str) -> None:
    def none(_: Account) -> SecretStr:
        raise Rejected("no password is set")

    login = login_to(prosody.address, tls_for(prosody))
    login._open_secret = none
    with pytest.raises(Rejected, match="no password is set"):
        async with login.session(account(person)):
            pass


async def test_messages_are_left_for_the_user(prosody: Prosody, login: Login, person: str) -> None:
    async with witness(prosody) as contact:
        async with login.session(account(person)) as session:
            await session.set("Out for tea")
            contact.client.send_message(JID(f"{person}@{DOMAIN}"), "Are you there?", mtype="chat")
            await contact.seen([person], deadline=2)
        contact.client.send_message(JID(f"{person}@{DOMAIN}"), "And now?", mtype="chat")
        await contact.seen([person], deadline=2)
    async with login.session(account(person)) as session:
        await session.set("Back")
    got: list[str] = []
    both = asyncio.Event()

    def take(message: Message) -> None:
        got.append(message["body"])
        if len(got) == 2:
            both.set()

    user = witness(prosody, person)
    async with user:
        user.client.add_event_handler("message", take)
        async with asyncio.timeout(10):
            await both.wait()
    assert got == ["Are you there?", "And now?"]


async def test_subscription_requests_are_left_for_the_user(
    prosody: Prosody, login: Login, person: str
) -> None:
    async with witness(prosody, "stranger") as stranger:
        stranger.client.send_presence_subscription(f"{person}@{DOMAIN}")
        await stranger.seen(["nobody"], deadline=5)
        async with login.session(account(person)) as session:
            await session.set("Out for tea")
        await stranger.seen(["nobody"], deadline=5)
        item = stranger.client.client_roster[f"{person}@{DOMAIN}"]
        assert (item["pending_out"], item["to"]) == (True, False)
        assert stranger.people.get(person, Seen()).status is None
