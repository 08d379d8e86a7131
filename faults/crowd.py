"""People who are all well: what breaks, the suite breaks."""

from collections.abc import Callable, Sequence

from demo.contact import Contact, Seen
from demo.people import Person, people
from demo.phone import phones_online
from demo.site import Site
from demo.stage import Stage

PATIENT = {
    "LASTWORD_HTTP_DEADLINE": "60",
    "LASTWORD_XMPP_DEADLINE": "60",
    "LASTWORD_XMPP_ANSWER_DEADLINE": "60",
    "LASTWORD_RETRY_SECONDS": "1",
}
"""Settings where nothing is slow on purpose: a machine that is busy with others is no fault."""
SEEN = 60.0
"""Seconds for a contact to be told what a server knows."""


def crowd_of(count: int) -> list[Person]:
    """Return so many people, half of them with a password, half by their server's operator."""
    crowd = people(count)
    for person in crowd:
        person.gone = person.wrong_password = person.silent = False
    return crowd


def write_all(crowd: Sequence[Person], what: str) -> None:
    """Let everybody write a new post, each one of their own."""
    for person in crowd:
        person.write(f"{person.name}: {what}")


async def check_seen(contact: Contact, crowd: Sequence[Person], site: Site) -> None:
    """Wait until the contact sees everybody's newest post beside their name.

    Raises:
        TimeoutError: somebody's is not seen; the message says who, and what is seen instead.
    """
    for person in crowd:
        await contact.until(person.name, _has(site.newest(person.name)), SEEN)


def _has(status: str | None) -> Callable[[Seen], bool]:
    return lambda seen: seen.status == status


async def check_kept(scene: Stage, crowd: Sequence[Person]) -> None:
    """Check that the chat server keeps everybody's newest post, for phones that come back."""
    passwords = {person.name: scene.passwords[person.name] for person in crowd}
    async with phones_online(scene.prosody, passwords), scene.contact() as contact:
        await check_seen(contact, crowd, scene.site)
