"""Hosts with people who write, in a process of their own: their work is not ours to measure.

Started by `bench.silent_host`. Prints where they are as JSON, and serves until its standard
input ends.
"""

import asyncio
import json
import sys
from argparse import ArgumentParser
from contextlib import AsyncExitStack

from demo.people import Person, people
from demo.site import Site


async def serve(hosts: int, accounts: int, latency: float) -> None:
    """Serve until standard input ends.

    Args:
        hosts: how many, each at a port of its own.
        accounts: people on each: a third Atom, a third JSON Feed, a third Mastodon.
        latency: seconds that each answer takes longer.
    """
    crowd = people(hosts * accounts)
    for person in crowd:
        person.gone = person.wrong_password = person.silent = False
    groups = [crowd[first : first + accounts] for first in range(0, len(crowd), accounts)]
    async with AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(Site(it, latency=latency)) for it in groups]
        places = [_place(site, group) for site, group in zip(sites, groups, strict=True)]
        sys.stdout.write(f"{json.dumps(places)}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _place(site: Site, group: list[Person]) -> dict[str, object]:
    """Return a host's people with their source addresses, as it answers and as it is silent."""
    answering = {person.name: site.source_address(person) for person in group}
    for person in group:
        person.silent = True
    silent = {person.name: site.source_address(person) for person in group}
    for person in group:
        person.silent = False
    return {"answering": answering, "silent": silent, "allow_hosts": sorted(site.allow_hosts)}


if __name__ == "__main__":
    parser = ArgumentParser()
    for name, kind in (("hosts", int), ("accounts", int), ("latency", float)):
        parser.add_argument(name, type=kind)
    asyncio.run(serve(**vars(parser.parse_args())))
