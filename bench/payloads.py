"""Hostile payloads through all four sources, through the status, into a real Prosody.

A local server answers each account's source with a document made to hurt, of a corpus or made by
hypothesis. Each is asked for twice, as two runs do; what comes of it, or the text that it was made
of, becomes a status, which a private Prosody is given over one component connection, or in a
login now and then. Exit code 1 where a stream was closed, an error was not one of ours, or
something went beyond its bounds of time, memory or length.
"""

import asyncio
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from random import Random
from time import monotonic

from pydantic import SecretStr
from rich.console import Console

from bench.memory import keep_data_in
from bench.payloads_made import KINDS, Payload, payloads
from bench.payloads_served import TOKEN, serving_hostile
from bench.payloads_tried import DEADLINE, Trial, Tried
from demo.operated import NAMESPACES, OperatedProsody
from lastword.publishers.base import Publisher
from lastword.publishers.login import Login
from lastword.publishers.operator import Gateway, Operator
from lastword.publishers.pubsub import ITEMS, OWNER
from lastword.services import tls_context
from lastword.settings import Settings
from lastword.sources import politeness
from models import Account
from tests.hostile import forget_peak, peak

_DOMAIN = "chat.example"
_AT_ONCE = 4
_BY_LOGIN = 25
"""Every so many is shown by a login of its own."""
_WARM_UP = 50
# One of each for everybody who works: accounts remember what their users' servers hold.
_NAMES = [f"{name}{place}" for name in ("operator", "login") for place in range(_AT_ONCE)]
GROWTH = 200
"""MiB of memory, at most, that the rest takes beyond what the first ones took."""
_PASSWORD = "sesame"  # noqa: S105 (of people made up)


async def run(made: Sequence[Payload], prosody: OperatedProsody, tried: Tried) -> float:
    """Try all payloads; return by how many MiB the peak of memory has grown."""
    operator = Operator(
        {_DOMAIN: Gateway.model_validate(prosody.gateway)}, deadline=30, answer_deadline=30
    )
    async with serving_hostile(made) as server:
        settings = _settings(server.host, prosody)
        tls = tls_context(settings)
        login = Login(
            tls=tls,
            open_secret=lambda _: SecretStr(_PASSWORD),
            servers=settings.xmpp_servers,
            deadline=30,
            answer_deadline=30,
            logins=_AT_ONCE,
        )
        trial = Trial(server, settings, tls, tried)
        by_login = set(range(0, len(made), _BY_LOGIN))
        waiting = iter(made)
        ways: Mapping[str, Publisher] = {"operator": operator, "login": login}
        people = {name: _person(name) for name in _NAMES}

        async def work(place: int) -> None:
            for payload in waiting:
                name = "login" if payload.number in by_login else "operator"
                await trial(payload, people[f"{name}{place}"], ways[name], name)

        first = _person("operator0")
        for payload in made[:_WARM_UP]:
            await trial(payload, first, operator, "operator")
        people["operator0"] = first
        tried.shown.clear()
        tried.ends.clear()
        forget_peak()
        before, connection = peak(), operator._links[_DOMAIN]._component  # noqa: SLF001
        await asyncio.gather(*(work(place) for place in range(_AT_ONCE)))
        after = operator._links[_DOMAIN]._component  # noqa: SLF001
        if after is not connection or (after and after.lost):
            tried.troubles.append(f"the component's stream was closed: {after and after.lost}")
        await operator.close()
    return (peak() - before) / 1024


def _person(name: str) -> Account:
    return Account(name=name, source="", jid=f"{name}@{_DOMAIN}")


def _settings(host: str, prosody: OperatedProsody) -> Settings:
    """Let the local server be asked, as often as we like; sources read the environment."""
    for name, value in {
        "X_API": f"http://{host}",
        "X_TOKEN": TOKEN,
        "BLUESKY_RESOLVER": f"http://{host}",
        "BLUESKY_PLC": f"http://{host}",
    }.items():
        os.environ[f"LASTWORD_{name}"] = value
    return Settings.model_validate(
        {
            "allow_hosts": [host],
            "ca_file": prosody.ca_file,
            "xmpp_servers": {_DOMAIN: f"{prosody.host}:{prosody.port}"},
            "http_deadline": DEADLINE,
            "host_rate": 10_000,
            "host_concurrency": 100,
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.payloads", description=__doc__)
    parser.add_argument("--payloads", type=int, default=2_000, help="(default 2000)")
    parser.add_argument("--seed", type=int, help="the one of a run before")
    parser.add_argument("--only", type=int, help="nothing but the payload of this number")
    told = parser.parse_args(arguments)
    seed = Random().randrange(1_000_000) if told.seed is None else told.seed  # noqa: S311
    console = Console(highlight=False)
    console.print(f"{told.payloads} payloads of seed {seed}")
    keep_data_in(None)
    politeness.JITTER = 0  # no runs elsewhere begin with this one
    made = payloads(told.payloads, seed)
    if told.only is not None:
        made = [made[told.only]]
    tried, began = Tried(), monotonic()
    with OperatedProsody(
        _DOMAIN,
        dict.fromkeys(_NAMES, _PASSWORD),
        {},
        namespaces=(*NAMESPACES, ITEMS, OWNER),
        settings="shared_status_burst = 1000000",  # nobody writes as often as we do here
    ) as prosody:
        growth = asyncio.run(run(made, prosody, tried))
        log = prosody.log
    if growth > GROWTH:
        tried.troubles.append(f"memory has grown by {growth:.0f} MiB")
    if closed := [line for line in log.splitlines() if "stream error" in line.lower()]:
        tried.troubles.append(f"Prosody ended a stream: {closed[0][:200]}")
    for kind in KINDS:
        ends = {end: number for end, number in tried.ends.items() if end.startswith(f"{kind}:")}
        told_ends = ", ".join(f"{n} {end.partition(': ')[2]}" for end, n in sorted(ends.items()))
        console.print(f"{kind:>9}: {told_ends}", markup=False)
    shown = ", ".join(f"{number} by {name}" for name, number in sorted(tried.shown.items()))
    console.print(f"  statuses: {shown}, each held by Prosody as it was set")
    console.print(
        f"{monotonic() - began:.0f} s; the longest visit {tried.slowest:.2f} s; memory grew by"
        f" {growth:.0f} MiB"
    )
    for trouble in tried.troubles[:20]:
        console.print(f"Not good: {trouble}", style="bold red", markup=False)
    if len(tried.troubles) > 20:  # noqa: PLR2004
        console.print(f"and {len(tried.troubles) - 20} more")
    return 1 if tried.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
