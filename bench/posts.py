"""Hosts where people write, in a process of their own: their work is not ours to measure.

Started by `posting`. Reads one line of JSON that says what to serve, and prints the source
address of each person; then each line is a list of names, who write something new.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from demo.people import Person, people
from demo.site import Site

_SHOWN = 5
"""Posts in a feed."""


class Posts:
    """The hosts, as seen by who started them.

    Attributes:
        pid: of their process.
        sources: source addresses by name.
        allow_hosts: see `Site.allow_hosts`.
    """

    def __init__(self, process: "subprocess.Popen[str]", told: object) -> None:
        self.pid = process.pid
        self._process = process
        answer = self._ask(told)
        self.sources: Mapping[str, str] = answer["sources"]
        self.allow_hosts: Sequence[str] = answer["allow_hosts"]

    def change(self, names: Sequence[str]) -> None:
        """Let people write something new; return when it is there."""
        self._ask(names)

    def _ask(self, told: object) -> Any:  # noqa: ANN401 (JSON)
        assert self._process.stdin is not None  # noqa: S101 (a pipe)
        assert self._process.stdout is not None  # noqa: S101 (a pipe)
        self._process.stdin.write(f"{json.dumps(told)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def posting(number: int, *, hosts: int, latency: float) -> Iterator[Posts]:
    """Serve feeds over plain http for the length of the block.

    Args:
        number: people.
        hosts: they write on, each at a port of its own.
        latency: seconds that each answer takes longer.
    """
    command = [sys.executable, "-m", "bench.posts"]
    with subprocess.Popen(  # noqa: S603 (our own interpreter)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Posts(process, {"number": number, "hosts": hosts, "latency": latency})
        finally:
            assert process.stdin is not None  # noqa: S101 (a pipe)
            process.stdin.close()


async def serve(number: int, hosts: int, latency: float) -> None:
    """Serve until standard input ends; see `posting`."""
    crowd = _crowd(number)
    async with AsyncExitStack() as stack:
        sites: dict[str, Site] = {}
        for first in range(hosts):
            group = crowd[first::hosts]
            site = await stack.enter_async_context(Site(group, latency=latency))
            sites |= {person.name: site for person in group}
        sources = {person.name: sites[person.name].source_address(person) for person in crowd}
        allowed = sorted({host for site in sites.values() for host in site.allow_hosts})
        _say({"sources": sources, "allow_hosts": allowed})
        by_name = {person.name: person for person in crowd}
        while line := await asyncio.to_thread(sys.stdin.readline):
            for name in json.loads(line):
                _write(by_name[name])
            _say("written")


def _crowd(number: int) -> list[Person]:
    """Return people who are all well, and whose posts are feeds."""
    crowd = people(number)
    for person in crowd:
        person.gone = person.wrong_password = person.silent = False
        person.kind = "atom"
    return crowd


def _write(person: Person) -> None:
    number = person.posts[0].number + 1
    person.write(f"{person.name} writes something new, as people do; it is number {number}")
    del person.posts[_SHOWN:]


def _say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.stdin.readline())))
