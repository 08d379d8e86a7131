"""The stage of the demo: a site of posts, a chat server, a data directory, accounts in it."""

import asyncio
import csv
import io
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory

from demo.command import LastWord
from demo.contact import Contact
from demo.operated import OperatedProsody
from demo.people import Person
from demo.phone import phones_online
from demo.site import HOST, Site

DOMAIN = "chat.example"
CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the story needs, on loopback and in one temporary directory."""

    directory: Path
    site: Site
    prosody: OperatedProsody
    lastword: LastWord
    passwords: Mapping[str, str]
    """By name, the contact's too."""

    def contact(self) -> Contact:
        """Return the contact of all people, ready to log in."""
        return Contact(
            f"{CONTACT}@{DOMAIN}",
            self.passwords[CONTACT],
            host=self.prosody.host,
            port=self.prosody.port,
            ca_file=self.prosody.ca_file,
        )


@asynccontextmanager
async def stage(
    people: Sequence[Person], settings: Mapping[str, str] | None = None, *, latency: float = 0
) -> AsyncIterator[Stage]:
    """Set the stage, and leave nothing of it behind.

    Args:
        people: who writes posts and has an account on the chat server.
        settings: environment variables for `lastword`, beside those that the stage needs.
        latency: seconds that the site takes for each answer.
    """
    names = [person.name for person in people]
    passwords = {name: token_urlsafe(12) for name in (*names, CONTACT)}
    with TemporaryDirectory(prefix="lastword-demo-") as name:
        directory = Path(name)
        prosody = OperatedProsody(DOMAIN, passwords, {CONTACT: names})
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        prosody.certificate(HOST).configure_cert(server_tls)
        with prosody:
            async with Site(people, server_tls, latency=latency) as site:
                lastword = LastWord(
                    directory / "data",
                    {
                        "LASTWORD_ALLOW_HOSTS": json.dumps(sorted(site.allow_hosts)),
                        "LASTWORD_CA_FILE": str(prosody.ca_file),
                        "LASTWORD_XMPP_SERVERS": json.dumps(
                            {DOMAIN: f"{prosody.host}:{prosody.port}"}
                        ),
                        "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway}),
                        # All of them write on one host, which is ours.
                        "LASTWORD_HOST_CONCURRENCY": "50",
                        "LASTWORD_HOST_RATE": "1000",
                        "LASTWORD_CONTACT": "demo@lastword.example",
                        # The host that never answers is waited for three times: keep it short.
                        # A crowd shares one core with the site, Prefect and the chat server.
                        "LASTWORD_HTTP_DEADLINE": str(3 + len(people) // 80),
                        "LASTWORD_RETRY_SECONDS": "1",
                        **(settings or {}),
                    },
                )
                await lastword("init")
                await _add_accounts(lastword, directory, people, passwords, site)
                async with phones_online(prosody, {name: passwords[name] for name in names}):
                    yield Stage(directory, site, prosody, lastword, passwords)


async def _add_accounts(
    lastword: LastWord,
    directory: Path,
    people: Sequence[Person],
    passwords: dict[str, str],
    site: Site,
) -> None:
    """Add the first person as one does by hand, and the others from a CSV file."""
    rows = [
        {
            "name": person.name,
            "source": site.source_address(person),
            "jid": f"{person.name}@{DOMAIN}",
            "publisher": person.publisher,
            "password": _password(person, passwords),
        }
        for person in people
    ]
    first, rest = rows[0], rows[1:]
    await lastword(
        *("accounts", "add", first["name"], first["source"], first["jid"], "--password-stdin"),
        stdin=first["password"],
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(first))
    writer.writeheader()
    writer.writerows(rest)
    file = directory / "people.csv"
    file.touch(mode=0o600)
    await asyncio.to_thread(file.write_text, text.getvalue(), encoding="utf-8")
    await lastword("accounts", "import", str(file))
    file.unlink()


def _password(person: Person, passwords: Mapping[str, str]) -> str:
    """Return the password that Last Word is given: none where it does not need any."""
    if person.publisher == "operator":
        return ""
    return "not the password" if person.wrong_password else passwords[person.name]


def free_port() -> int:
    """Return a port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
