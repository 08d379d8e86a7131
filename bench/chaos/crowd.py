"""The crowd: made-up people who write all the time, and a few whose accounts cannot work."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

POISONED = 0.05
"""The share of accounts that cannot work."""
LOGINS = 0.04
"""The share of accounts that are set by `login`; the others are by `operator`."""

POISONS = {
    "password": {"LoginRefused"},
    "stranger": {"Rejected"},
    "garbage": {"Rejected"},
    "endless": {"Rejected"},
    "loop": {"Rejected"},
    "gone": {"Gone"},
    "reset": {"Transient", "Deferred"},
    "silent": {"Transient", "Deferred"},
}
"""What is wrong → the errors that it must end in.

The password is not the user's; the chat server has no such user; the feed is no feed, or has no
end, or redirects to itself, or was deleted; the host resets connections, or never answers.
"""
OF_HOST = ("reset", "silent")
"""Poisons that are a whole host's."""


@dataclass(slots=True)
class Someone:
    """One account's owner.

    Attributes:
        name: unique.
        host: number of the host that they write at.
        publisher: on whose authority their status is set.
        poison: what is wrong with their account, or empty.
        posts: how many they have written.
    """

    name: str
    host: int
    publisher: str = "operator"
    poison: str = ""
    posts: int = 1

    @property
    def status(self) -> str:
        """What their status must become: their newest post."""
        return f"{self.name} writes, for the {self.posts}. time"


def crowd(number: int, hosts: int, luck: Random) -> list[Someone]:
    """Return so many people.

    Args:
        number: how many; at least as many as there are poisons.
        hosts: how many healthy ones there are; the next ones are those of whole hosts' poisons.
        luck: decides who is what.
    """
    people = [Someone(f"person{place}", luck.randrange(hosts)) for place in range(number)]
    poisons = list(POISONS)
    chosen = luck.sample(people, round(number * (POISONED + LOGINS)) + len(poisons))
    poisoned = max(round(number * POISONED), len(poisons))
    for place, person in enumerate(chosen[:poisoned]):
        person.poison = poisons[place % len(poisons)]
        if person.poison in OF_HOST:
            person.host = hosts + OF_HOST.index(person.poison)
        if person.poison == "password":
            person.publisher = "login"
    for person in chosen[poisoned:]:
        person.publisher = "login"
    return people


def healthy(people: Sequence[Someone]) -> list[Someone]:
    """Return those whose accounts can work."""
    return [person for person in people if not person.poison]
