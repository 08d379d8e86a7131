"""The world that chaos comes over: feeds, chat server, database, accounts, Prefect, workers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from secrets import token_urlsafe

from bench.chaos.crowd import Someone, crowd
from bench.chaos.feeds import Feeds
from bench.chaos.parts import Part
from bench.chaos.witnessed import CONTACT, DOMAIN, WitnessedProsody
from demo.command import LastWord
from demo.contact import Contact
from demo.postgresql import PostgreSQL
from demo.stage import free_port
from deployments import profile
from lastword.importing import import_rows
from lastword.rows import Row
from lastword.secrets import Keyring
from lastword.settings import Settings
from models.database import Database

HOSTS = 20
"""Healthy hosts that people write at."""
_IMPORTED = 500
"""Rows at once."""


@dataclass(frozen=True, slots=True)
class World:
    """All parts, and what is known of them.

    Attributes:
        api: address of Prefect's API.
        database: ours, as the judge reads it.
        keyring: its own.
        server: Prefect's.
        workers: Prefect's, each with the runs that it starts.
        logs: directory.
    """

    people: Sequence[Someone]
    feeds: Feeds
    prosody: WitnessedProsody
    postgresql: PostgreSQL
    database: Database
    keyring: Keyring
    lastword: LastWord
    api: str
    server: Part
    workers: Sequence[Part]
    logs: Path

    def contact(self) -> Contact:
        """Return the contact of all people, ready to log in."""
        return Contact(
            f"{CONTACT}@{DOMAIN}",
            self.prosody.passwords[CONTACT],
            host=self.prosody.host,
            port=self.prosody.port,
            ca_file=self.prosody.ca_file,
        )


@asynccontextmanager
async def world(
    directory: Path, accounts: int, workers: int, luck: Random, settings: Mapping[str, str]
) -> AsyncIterator[World]:
    """Make the world, with nothing of Prefect started yet, and leave no process of it behind.

    Args:
        directory: for all files; whoever gives it removes it.
        accounts: how many.
        workers: how many.
        luck: decides who is what.
        settings: environment variables for Last Word, beside those that the world needs.
    """
    people = crowd(accounts, HOSTS, luck)
    logs = directory / "logs"
    logs.mkdir()
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(Feeds(people, HOSTS))
        prosody = WitnessedProsody(people, directory / "logins")
        await asyncio.to_thread(prosody.__enter__)
        stack.push(prosody)
        postgresql = stack.enter_context(PostgreSQL())
        url = postgresql.create_database("lastword")
        ours = _settings(url, feeds, prosody) | dict(settings)
        lastword = LastWord(directory / "data", ours)
        await lastword("init")
        database = await stack.enter_async_context(Database.open(url))
        keyring = Keyring.load(Settings(data_dir=lastword.data_dir))
        await _add_accounts(database, keyring, people, feeds, prosody)
        home, port = lastword.data_dir / "prefect", free_port()
        api = profile.api_at("127.0.0.1", port)
        server = Part(
            "Prefect's server",
            _prefect("server", "start", "--host", "127.0.0.1", "--port", str(port)),
            lastword.environment | profile.server_environment(home, api),
            logs / "server.log",
        )
        stack.callback(server.end)
        crew = []
        for number in range(1, workers + 1):
            part = Part(
                f"worker {number}",
                _prefect("worker", "start", "--type", "process", "--pool", profile.WORK_POOL),
                lastword.environment | profile.worker_environment(home, api),
                logs / f"worker-{number}.log",
            )
            stack.callback(part.end)
            crew.append(part)
        stack.callback(_ask_to_end, crew)
        yield World(
            people=people,
            feeds=feeds,
            prosody=prosody,
            postgresql=postgresql,
            database=database,
            keyring=keyring,
            lastword=lastword,
            api=api,
            server=server,
            workers=crew,
            logs=logs,
        )


def _ask_to_end(parts: Sequence[Part]) -> None:
    """Ask all before any is waited for: a worker takes its time."""
    for part in parts:
        part.ask_to_end()


def _prefect(*arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", "prefect", *arguments)


def _settings(url: str, feeds: Feeds, prosody: WitnessedProsody) -> dict[str, str]:
    return {
        "LASTWORD_DATABASE_URL": url,
        "LASTWORD_ALLOW_HOSTS": json.dumps(feeds.places),
        "LASTWORD_CA_FILE": str(prosody.ca_file),
        "LASTWORD_XMPP_SERVERS": json.dumps({DOMAIN: f"{prosody.host}:{prosody.port}"}),
        "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway}),
        # All hosts are ours, and in this process: no need to be polite.
        "LASTWORD_HOST_CONCURRENCY": "50",
        "LASTWORD_HOST_RATE": "10000",
        "LASTWORD_CONTACT": "chaos@lastword.example",
        # Of hosts that never answer: waited for in every run.
        "LASTWORD_HTTP_DEADLINE": "10",
        "LASTWORD_RETRY_SECONDS": "1",
    }


async def _add_accounts(
    database: Database,
    keyring: Keyring,
    people: Sequence[Someone],
    feeds: Feeds,
    prosody: WitnessedProsody,
) -> None:
    rows = []
    for person in people:
        cells = {
            "name": person.name,
            "source": feeds.address(person),
            "jid": f"{person.name}@{DOMAIN}",
            "publisher": person.publisher,
        }
        if person.publisher == "login":
            right = prosody.passwords[person.name]
            cells["password"] = token_urlsafe(12) if person.poison == "password" else right
        rows.append(Row.of(person.name, cells))
    for start in range(0, len(rows), _IMPORTED):
        await import_rows(database, rows[start : start + _IMPORTED], keyring=keyring)
