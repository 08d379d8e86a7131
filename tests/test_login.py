"""The publisher `login`: what the server holds and what a contact sees, on a real Prosody."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest
from pydantic import SecretBytes, SecretStr

from demo.prosody import MODULES, Prosody
from lastword.errors import Defect, Systemic
from lastword.publishers import PUBLISHERS, build_publishers
from lastword.publishers.base import Confirmation
from lastword.publishers.login import Login
from lastword.sealing import Seal
from lastword.settings import Settings
from models.database import Database
from tests.fixtures_xmpp import CONTACT, MANY, account, login_to, nothing_left, tls_for, witness
from tests.xmpp_peer import DOMAIN, PASSWORD

SEAL = Seal(SecretBytes(bytes(32)))
NOWHERE = Database("sqlite:////nowhere/lastword.db")
BOTH = Confirmation("pep+presence")


async def test_status_is_shown_while_we_are_there(
    prosody: Prosody, login: Login, person: str
) -> None:
    async with (
        nothing_left(),
        witness(prosody) as contact,
        login.session(account(person)) as session,
    ):
        assert await session.current() is None
        assert await session.set("Out for tea") == BOTH
        assert await session.current() == "Out for tea"
        seen = await contact.until(person, lambda seen: bool(seen.activity))
        assert seen.activity == seen.status == "Out for tea"
        assert (seen.show, seen.priority) == ("xa", -1)
        assert seen.resource.startswith("lastword-")


async def test_a_contact_who_comes_later(prosody: Prosody, login: Login, person: str) -> None:
    async with login.session(account(person)) as session:
        await session.set("Out for tea")
    async with witness(prosody) as contact:
        seen = await contact.seen([person], deadline=10)
        assert seen[person].activity == "Out for tea"
        assert seen[person].show == "unavailable"


async def test_server_holds_it_until_the_next_session(login: Login, person: str) -> None:
    async with login.session(account(person)) as session:
        await session.set("Out for tea")
    async with login.session(account(person)) as session:
        assert await session.current() == "Out for tea"


async def test_clearing(prosody: Prosody, login: Login, person: str) -> None:
    async with login.session(account(person)) as session:
        await session.set("Out for tea")
    async with witness(prosody) as contact:
        await contact.until(person, lambda seen: seen.activity == "Out for tea")
        async with login.session(account(person)) as session:
            assert await session.set(None) == BOTH
            assert await session.current() is None
        seen = await contact.until(
            person, lambda seen: seen.activity is None and seen.show == "unavailable"
        )
        assert seen.status is None
    async with witness(prosody) as contact:
        assert (await contact.seen([person], deadline=10))[person].activity is None


async def test_setting_the_same_again(prosody: Prosody, login: Login, person: str) -> None:
    for _ in range(2):
        async with login.session(account(person)) as session:
            assert await session.set("Out for tea") == BOTH
    async with witness(prosody) as contact:
        assert (await contact.seen([person], deadline=10))[person].activity == "Out for tea"


@pytest.mark.parametrize(
    "status",
    [
        "<b>&amp; \"quoted\" 'too'",
        "עברית and عربي",
        "👩‍👩‍👧‍👦 family 🇺🇦",
        "two\nlines\tand a tab",
        "é" * 500,
    ],
)
async def test_any_words(prosody: Prosody, login: Login, person: str, status: str) -> None:
    async with login.session(account(person)) as session:
        await session.set(status)
        assert await session.current() == status
    async with witness(prosody) as contact:
        assert (await contact.seen([person], deadline=10))[person].activity == status


@pytest.mark.parametrize("unfit", ["\0", "\x0b", "\x1b", "\ufffe", "\ud800"])
async def test_words_that_would_end_the_stream(login: Login, person: str, unfit: str) -> None:
    async with login.session(account(person)) as session:
        with pytest.raises(Defect, match=f"U\\+{ord(unfit):04X}"):
            await session.set(f"a{unfit}b")
        assert await session.set("ab") == BOTH


async def test_channel_binding_of_tls_1_2(prosody: Prosody, person: str) -> None:
    """There the server offers SCRAM-SHA-1-PLUS, and slixmpp takes it."""
    tls = tls_for(prosody)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with login_to(prosody.address, tls).session(account(person)) as session:
        assert await session.set("Out for tea") == BOTH


async def test_fifty_at_once(prosody: Prosody, login: Login) -> None:
    async def publish(name: str) -> None:
        async with login.session(account(name)) as session:
            assert await session.set(f"{name} was here") == BOTH

    async with nothing_left():
        await asyncio.gather(*(publish(name) for name in MANY))
    async with witness(prosody) as contact:
        seen = await contact.seen(MANY, deadline=30)
    assert {name: seen[name].activity for name in MANY} == {
        name: f"{name} was here" for name in MANY
    }


@pytest.fixture(scope="module")
def without_pep() -> Iterator[Prosody]:
    modules = [name for name in MODULES if name != "pep"]
    with Prosody(
        users={"alice": PASSWORD, CONTACT: PASSWORD},
        contacts={CONTACT: ["alice"]},
        modules=modules,
    ) as server:
        yield server


async def test_server_without_pep(without_pep: Prosody) -> None:
    login = login_to(without_pep.address, tls_for(without_pep))
    async with witness(without_pep) as contact:
        async with login.session(account("alice")) as session:
            assert await session.current() is None
            assert await session.set("Out for tea") == Confirmation("presence")
            seen = await contact.until("alice", lambda seen: seen.show == "xa")
            assert (seen.status, seen.activity) == ("Out for tea", None)
        await contact.until("alice", lambda seen: seen.show == "unavailable")


@pytest.mark.parametrize(
    "server",
    [
        *("chat.example", "5222", "host:", ":5222", "host:port"),
        *("xmpps://host", "xmpps://:5223", "xmpp://host:5222", "://host:5223"),
    ],
)
def test_server_setting_that_is_malformed(tls: ssl.SSLContext, server: str) -> None:
    settings = Settings(xmpp_servers={DOMAIN: server})
    with pytest.raises(Systemic, match=r"LASTWORD_XMPP_SERVERS .* write host:port, or xmpps://"):
        build_publishers(settings, tls, lambda _: SecretStr(PASSWORD), SEAL, NOWHERE)


async def test_built_from_the_settings(prosody: Prosody, person: str) -> None:
    host, port = prosody.address
    settings = Settings(xmpp_servers={DOMAIN.upper(): f"{host}:{port}"})
    publishers = build_publishers(
        settings, tls_for(prosody), lambda _: SecretStr(PASSWORD), SEAL, NOWHERE
    )
    assert publishers.keys() == PUBLISHERS.keys()
    async with publishers["login"].session(account(person)) as session:
        assert await session.set("Out for tea") == BOTH
