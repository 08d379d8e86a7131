"""One side of `bench.logins`, in a process of its own, so that its CPU time is its own.

Started by `bench.logins` with `ours` or `stock`. Reads one line of JSON that says where the
server is, then one command a line: `round`, or `stay N` for so many rounds on one event loop.
Answers each with a line of JSON.
"""

import asyncio
import gc
import json
import logging
import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from time import monotonic, process_time
from typing import Any

import psutil
from pydantic import SecretStr

# Registering our SCRAM changes slixmpp for all of a process, so each side imports its own.
Publish = Callable[[str, str], Awaitable[None]]


def _ours(server: dict[str, Any], tls: ssl.SSLContext) -> Publish:
    from lastword.publishers.login import Login  # noqa: PLC0415
    from models import Account  # noqa: PLC0415

    host, port = server["address"]
    login = Login(
        tls=tls,
        open_secret=lambda _: SecretStr(server["password"]),
        servers={server["domain"]: f"{host}:{port}"},
        deadline=60,
        answer_deadline=60,
        logins=server["at_once"],
    )
    accounts = {
        name: Account(name=name, source="feed:https://x.example", jid=f"{name}@{server['domain']}")
        for name in server["names"]
    }

    async def publish(name: str, status: str) -> None:
        async with login.session(accounts[name]) as session:
            await session.current()
            await session.set(status)

    return publish


def _stock(server: dict[str, Any], tls: ssl.SSLContext) -> Publish:
    from bench import stock  # noqa: PLC0415

    # It leaves a task for each client, of which asyncio complains.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    async def publish(name: str, status: str) -> None:
        await stock.publish(
            f"{name}@{server['domain']}",
            server["password"],
            status,
            address=tuple(server["address"]),
            tls=tls,
        )

    return publish


async def _round(server: dict[str, Any], publish: Publish, number: int) -> None:
    at_once = asyncio.Semaphore(server["at_once"])

    async def one(name: str) -> None:
        async with at_once:
            await publish(name, f"{name} was here, {os.getpid()}.{number}")

    async with asyncio.TaskGroup() as tasks:
        for name in server["names"]:
            tasks.create_task(one(name))


def _footprint() -> dict[str, int]:
    gc.collect()
    process = psutil.Process()
    return {
        "tasks": len(asyncio.all_tasks()),
        "sockets": len(process.net_connections("all")),
        "rss": process.memory_info().rss,
    }


async def _stay(server: dict[str, Any], publish: Publish, rounds: int) -> list[dict[str, int]]:
    """Return what is held after each round."""
    held = []
    for number in range(rounds):
        await _round(server, publish, number)
        held.append(_footprint())
    return held


def main(side: str) -> None:
    """Answer commands until standard input ends."""
    server = json.loads(sys.stdin.readline())
    tls = ssl.create_default_context(cafile=server["ca_file"])
    make = _ours if side == "ours" else _stock
    for number, line in enumerate(sys.stdin):
        command, _, rounds = line.strip().partition(" ")
        publish = make(server, tls)
        answer: object
        if command == "stay":
            answer = asyncio.run(_stay(server, publish, int(rounds)))
        else:
            began, used = monotonic(), process_time()
            asyncio.run(_round(server, publish, number))
            answer = {"seconds": monotonic() - began, "cpu": process_time() - used}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
