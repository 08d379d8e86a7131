"""The module for Prosody as the server's operator meets it: reloads, broken storage, old users."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from slixmpp.exceptions import IqError

from demo.prosody import MODULES, Prosody
from tests.fixtures_xmpp import CONTACT, witness
from tests.xmpp_device import Device
from tests.xmpp_peer import DOMAIN, PASSWORD

MODULE = Path(__file__).parent.parent / "deployments" / "prosody"
PEOPLE = [f"tenant{number}" for number in range(10)]
HELLO = "<status>Hello</status>"


class Administered(Prosody):
    """A server whose operator has a shell (mod_admin_shell)."""

    async def shell(self, *words: str) -> None:
        config = self._home / "prosody.cfg.lua"
        shell = await asyncio.create_subprocess_exec(
            *("prosodyctl", "--config", str(config), "shell", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await shell.communicate()
        assert shell.returncode == 0, said.decode()

    def stored(self, name: str) -> Path:
        """Where the state of a user is."""
        return self._home / "data" / DOMAIN.replace(".", "%2e") / "shared_status" / f"{name}.dat"


@pytest.fixture(scope="module")
def prosody() -> Iterator[Administered]:
    with Administered(
        domain=DOMAIN,
        users=dict.fromkeys([*PEOPLE, CONTACT], PASSWORD),
        contacts={CONTACT: PEOPLE},
        modules=(*MODULES, "shared_status", "admin_shell"),
        plugin_paths=[MODULE],
    ) as running:
        yield running


_numbers = count()


@pytest.fixture
def person() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


async def test_reload_loses_nothing(prosody: Administered, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share(HELLO)
        await contact.until(person, lambda it: it.status == "Hello")
        await prosody.shell("module", "reload", "shared_status", DOMAIN)
        assert "<status>Hello</status>" in await phone.shared()
        await phone.share("<status/>")
        await contact.until(person, lambda it: it.status is None)
        await phone.share("<status>Again</status>")
        await contact.until(person, lambda it: it.status == "Again")


async def test_loaded_while_people_are_online(prosody: Administered, person: str) -> None:
    async with witness(prosody) as contact:
        await prosody.shell("module", "unload", "shared_status", DOMAIN)
        async with Device(prosody, person) as phone:
            await phone.settle()
            await prosody.shell("module", "load", "shared_status", DOMAIN)
            await phone.share(HELLO)
            await contact.until(person, lambda it: it.status == "Hello")


async def test_deleted_user_leaves_nothing_to_the_next(prosody: Administered, person: str) -> None:
    async with Device(prosody, person) as phone:
        await phone.share(HELLO)
    assert prosody.stored(person).exists()
    jid = f"{person}@{DOMAIN}"
    await prosody.shell("user", "delete", jid)
    await prosody.shell("user", "create", jid, PASSWORD)
    async with Device(prosody, person) as phone:
        assert "<status></status>" in await phone.shared()
    assert not prosody.stored(person).exists()


async def test_state_that_cannot_be_read(prosody: Administered, person: str) -> None:
    """The user is told, and still comes online."""
    prosody.stored(person).mkdir(parents=True)
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        phone.show(show="away")
        assert (await contact.until(person, lambda it: it.show == "away")).status is None
        assert await phone.refused(HELLO) == "internal-server-error"
        with pytest.raises(IqError, match="internal-server-error"):
            await phone.shared()
        prosody.stored(person).rmdir()
        await phone.share(HELLO)
        await contact.until(person, lambda it: it.status == "Hello")


async def test_state_that_cannot_be_written(prosody: Administered, person: str) -> None:
    """Nothing is confirmed or shown that would be gone after a restart."""
    scratch = prosody.stored(person).with_name(f"{person}.dat~")
    scratch.mkdir(parents=True)
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        assert await phone.refused(HELLO) == "internal-server-error"
        assert "<status></status>" in await phone.shared()
        phone.show(show="away")
        assert (await contact.until(person, lambda it: it.show == "away")).status is None
        scratch.rmdir()
        await phone.share(HELLO)
        await contact.until(person, lambda it: it.status == "Hello")


async def test_devices_keep_their_own_show_and_priority(prosody: Administered, person: str) -> None:
    shown: dict[str, tuple[str | None, str, int | None]] = {}
    async with (
        witness(prosody) as contact,
        Device(prosody, person) as phone,
        Device(prosody, person, "bot") as bot,
        Device(prosody, person, "desk") as desk,
    ):
        bot.show(show="xa", ppriority=-1)
        desk.show(show="away", ppriority=5)
        await bot.settle()
        await desk.settle()
        await phone.share(HELLO)
        await phone.settle()
        await contact.seen(["nobody"], deadline=2)
        for who, seen in contact.history:
            if who == person:
                shown[seen.resource] = (seen.status, seen.show, seen.priority)
    assert shown["phone"] == ("Hello", "available", 0)
    assert shown["bot"] == ("Hello", "xa", -1)
    assert shown["desk"] == ("Hello", "away", 5)


async def test_words_that_are_only_spaces_are_none(prosody: Administered, person: str) -> None:
    async with witness(prosody) as contact, Device(prosody, person) as phone:
        await phone.share("<status>  </status>")
        phone.show(show="away")
        assert (await contact.until(person, lambda it: it.show == "away")).status is None
