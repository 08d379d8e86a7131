"""The publisher `operator`: one connection, no passwords, and clear words where it may not."""

import asyncio
from itertools import count
from typing import Any

import pytest

from demo.operated import NAMESPACES as BOTH
from demo.prosody import free_port
from lastword.errors import Defect, Deferred, LastWordError, Rejected, Systemic, Transient
from lastword.publishers.base import Confirmation
from lastword.publishers.component import Component
from lastword.publishers.operator import Operator
from tests.fixtures_operator import COMPONENT, PEOPLE, Governed, operating
from tests.fixtures_xmpp import account, nothing_left, witness
from tests.xmpp_device import Device
from tests.xmpp_peer import DOMAIN

SHARED = Confirmation("shared_status")
PEP = Confirmation("pep")
_numbers = count()


@pytest.fixture
def person() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


async def test_shown_on_the_users_phone(governed: Governed, person: str) -> None:
    async with witness(governed) as contact, Device(governed, person):
        async with operating(governed) as operator, operator.session(account(person)) as session:
            assert await session.current() is None
            assert await session.set("Out for tea") == SHARED
            assert await session.current() == "Out for tea"
        seen = await contact.until(person, lambda seen: seen.status == "Out for tea")
        assert seen.resource == "phone"
        assert seen.activity is None


async def test_clearing(governed: Governed, operator: Operator, person: str) -> None:
    async with witness(governed) as contact, Device(governed, person):
        async with operator.session(account(person)) as session:
            await session.current()
            await session.set("Out for tea")
        await contact.until(person, lambda seen: seen.status == "Out for tea")
        async with operator.session(account(person)) as session:
            assert await session.current() == "Out for tea"
            assert await session.set(None) == SHARED
        await contact.until(person, lambda seen: seen.status is None)


async def test_many_at_once_over_one_connection(governed: Governed) -> None:
    async def publish(operator: Operator, name: str) -> None:
        async with operator.session(account(name)) as session:
            await session.current()
            assert await session.set(f"{name} was here") == SHARED
        async with operator.session(account(name)) as session:
            assert await session.current() == f"{name} was here"

    async with nothing_left(), operating(governed) as operator:
        await asyncio.gather(*(publish(operator, name) for name in PEOPLE[20:40]))


async def test_no_such_user(operator: Operator) -> None:
    async with operator.session(account("nobody")) as session:
        with pytest.raises(Rejected, match="has no such user"):
            await session.current()


async def test_words_that_would_end_the_stream(operator: Operator, person: str) -> None:
    async with operator.session(account(person)) as session:
        await session.current()
        with pytest.raises(Defect, match=r"U\+0000"):
            await session.set("a\0b")
        assert await session.set("ab") == SHARED


async def test_activity_of_before_is_retracted(operator: Operator, person: str) -> None:
    """Somebody who could only be shown by activity until now."""
    with Governed(namespaces=BOTH[:1]) as server:
        async with operating(server) as only_pep, only_pep.session(account(person)) as session:
            assert await session.set("Old") == PEP
    had = account(person)
    had.pep_memory = {"held": {"activity": "presence"}}
    async with operator.session(had) as session:
        await session.current()
        assert await session.set("New") == SHARED


async def test_activity_where_the_module_is_missing(person: str) -> None:
    with Governed(modules=("privilege",)) as server:
        async with witness(server) as contact, operating(server) as operator:
            async with operator.session(account(person)) as session:
                assert await session.current() is None
                assert await session.set("Out for tea") == PEP
                assert await session.current() == "Out for tea"
            await contact.until(person, lambda seen: seen.activity == "Out for tea")
            async with operator.session(account(person)) as session:
                assert await session.set(None) == PEP
                assert await session.current() is None
            await contact.until(person, lambda seen: seen.activity is None)


async def _trouble(at: Governed, **more: Any) -> LastWordError:  # noqa: ANN401
    async with nothing_left(), operating(at, **more) as operator:
        with pytest.raises(LastWordError) as caught:
            async with operator.session(account(PEOPLE[0])) as session:
                await session.current()
    assert at.secret not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("namespaces", "modules", "words"),
    [
        (BOTH, (), "gives the component no privilege"),
        (("jabber:iq:roster",), ("privilege",), "lets the component send no requests"),
        (BOTH[1:], ("privilege",), "lets the component send no requests"),
    ],
)
async def test_privilege_is_missing(
    namespaces: tuple[str, ...], modules: tuple[str, ...], words: str
) -> None:
    with Governed(namespaces=namespaces, modules=modules) as server:
        error = await _trouble(server)
    assert isinstance(error, Systemic)
    assert words in str(error)
    assert f'privileged_entities = {{ ["{COMPONENT}"] = {{ iq = {{' in str(error)
    assert '["http://jabber.org/protocol/pubsub"] = "both"' in str(error)
    assert error.kind == f"operator:{DOMAIN}"


async def test_wrong_secret(governed: Governed) -> None:
    error = await _trouble(governed, secret="wrong")
    assert isinstance(error, Systemic)
    assert "its name and secret must be the same" in str(error)


async def test_wrong_secret_is_tried_once_by_all(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Component] = []
    open_once = Component.open

    async def noting(self: Component) -> None:
        opened.append(self)
        await open_once(self)

    monkeypatch.setattr(Component, "open", noting)

    async def refused(operator: Operator, name: str) -> None:
        with pytest.raises(Systemic, match="its name and secret must be the same"):
            async with operator.session(account(name)):
                pass

    async with operating(governed, secret="wrong") as operator:
        await asyncio.gather(*(refused(operator, name) for name in PEOPLE[:10]))
    assert len(opened) == 1


async def test_unknown_component(governed: Governed) -> None:
    error = await _trouble(governed, component="other.example")
    assert isinstance(error, Systemic)
    assert "other.example" in str(error)


async def test_nobody_listens(governed: Governed) -> None:
    error = await _trouble(governed, server=f"127.0.0.1:{free_port()}")
    assert isinstance(error, Transient)
    assert "refuses connections" in str(error)


async def test_silent_port(governed: Governed) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silence, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        error = await _trouble(governed, server=f"127.0.0.1:{port}", deadline=0.5)
        assert isinstance(error, Transient)
        assert "did not answer within 0.5 s" in str(error)


async def test_secret_file_that_is_missing(governed: Governed) -> None:
    error = await _trouble(governed, secret=None, secret_file="/nowhere/secret")
    assert isinstance(error, Systemic)
    assert "cannot be read from /nowhere/secret (No such file" in str(error)


async def test_domain_that_nobody_has_set_up(operator: Operator) -> None:
    other = account("alice")
    other.jid = "alice@elsewhere.example"
    with pytest.raises(Deferred, match=r"nobody has set up elsewhere\.example"):
        async with operator.session(other):
            pass


async def test_connection_that_was_lost_is_made_anew() -> None:
    with Governed(people=("alice",)) as server:
        async with operating(server) as operator:
            async with operator.session(account("alice")) as session:
                await session.current()
                await session.set("Before")
            async with operator.session(account("alice")) as session:
                server.restart()
                with pytest.raises(Transient, match=r"closed|ended"):
                    await session.current()
            async with operator.session(account("alice")) as session:
                assert await session.current() == "Before"
                assert await session.set("After") == SHARED
