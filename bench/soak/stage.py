"""Where the soak takes place: feeds that change, a chat server, a database, a few accounts."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.crowd import Someone
from bench.chaos.feeds import Feeds
from bench.chaos.witnessed import CONTACT, DOMAIN, WitnessedProsody
from demo.postgresql import PostgreSQL
from lastword.importing import import_rows
from lastword.rows import Row
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import schema
from models.database import Database

ILL = ("password", "gone", "reset", "garbage")
"""One account each, so that failures leave nothing behind either."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a soak needs."""

    settings: Settings
    people: Sequence[Someone]
    feeds: Feeds
    prosody: WitnessedProsody


def cast(number: int) -> list[Someone]:
    """Return so many people: half with a password, half by their server's operator, a few ill."""
    people = [
        Someone(f"person{place}", 0, "login" if place % 2 else "operator")
        for place in range(number)
    ]
    for person, poison in zip(people[1:], ILL, strict=False):
        person.poison = poison
        person.publisher = "login" if poison == "password" else person.publisher
        person.host = 1 if poison == "reset" else 0
    return people


@asynccontextmanager
async def stage(directory: Path, accounts: int, *, is_sqlite: bool) -> AsyncIterator[Stage]:
    """Set it, in this process's environment, too, and leave no process behind.

    Args:
        directory: an empty one.
        accounts: how many.
        is_sqlite: SQLite or PostgreSQL.
    """
    people = cast(accounts)
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(Feeds(people, 1))
        prosody = WitnessedProsody(people, directory / "logins", lingering=True)
        await asyncio.to_thread(prosody.__enter__)
        stack.push(prosody)
        url = f"sqlite:///{directory}/lastword.db"
        if not is_sqlite:
            # The clock runs a thousand times as fast: so must what clears away.
            server = stack.enter_context(PostgreSQL("-c", "autovacuum_naptime=1s"))
            url = server.create_database("lastword")
        os.environ |= {
            "LASTWORD_DATA_DIR": str(directory),
            "LASTWORD_DATABASE_URL": url,
            "LASTWORD_ALLOW_HOSTS": json.dumps(feeds.places),
            "LASTWORD_HOST_RATE": "10000",
            "LASTWORD_RETRY_SECONDS": "0",
            "LASTWORD_RETENTION": "1d",
            "LASTWORD_CA_FILE": str(prosody.ca_file),
            "LASTWORD_XMPP_SERVERS": json.dumps({DOMAIN: f"{prosody.host}:{prosody.port}"}),
            "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway}),
        }
        settings = Settings()
        async with Database.open(url, check=False) as database:
            await schema.upgrade(database)
            Keyring.create(settings.key_path)
            keyring = Keyring.load(settings)
            await keyring.adopt(database)
            rows = [_row(person, feeds, prosody) for person in people]
            await import_rows(database, rows, keyring=keyring)
        yield Stage(settings, people, feeds, prosody)


def _row(person: Someone, feeds: Feeds, prosody: WitnessedProsody) -> Row:
    cells = {
        "name": person.name,
        "source": feeds.address(person),
        "jid": f"{person.name}@{DOMAIN}",
        "publisher": person.publisher,
    }
    if person.publisher == "login":
        wrong = person.poison == "password"
        cells["password"] = prosody.passwords[CONTACT if wrong else person.name]
    return Row.of(person.name, cells)
