"""The stage of benches: accounts on a real Prosody, posts on hosts that take their time to answer.

Everything is on loopback, and in memory where the system has some: what a disk does is its own
affair. Each publisher has a database of its own, with the same people.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import psutil

from bench.memory import keep_data_in
from bench.posts import Posts, posting
from bench.proxy import proxy_beside
from bench.whole import cpu_of
from demo.operated import OperatedProsody
from demo.people import people
from deployments.profile import Cluster, client_environment
from deployments.temporary import temporary_server
from lastword.importing import import_rows
from lastword.rows import Row
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import schema
from models.database import Database

DOMAIN = "chat.example"
LATENCY = 0.05
"""Seconds that a host takes to answer."""
A_HOST = 20
"""People on each host."""
PUBLISHERS = ("login", "operator")
_START = 120.0


class BenchProsody(OperatedProsody):
    """With as many rounds of key derivation as Prosody makes by itself."""

    iterations = 10_000


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a side needs.

    Attributes:
        names: of the people, who are the accounts' names, too.
        passwords: by name.
        directory: of all data.
        posts: where they write.
        prosody: where they chat.
        chat: host and port where users reach it.
        servers: processes that all sides share, by name.
        environment: variables that every side has.
    """

    names: Sequence[str]
    passwords: Mapping[str, str]
    directory: Path
    posts: Posts
    prosody: BenchProsody
    chat: tuple[str, int]
    servers: dict[str, psutil.Process]
    environment: Mapping[str, str]

    def of(self, publisher: str) -> dict[str, str]:
        """Return the variables of a process over the accounts of one publisher."""
        return {**self.environment, "LASTWORD_DATA_DIR": str(self.directory / publisher)}

    def change(self, share: float = 1) -> None:
        """Let a share of the people write something new."""
        self.posts.change(self.names[: round(len(self.names) * share)])

    def cpu(self) -> dict[str, float]:
        """Return the seconds of CPU that each server has used so far."""
        return {name: cpu_of(process) for name, process in self.servers.items()}

    def recorded(self, flow_run_id: str, number: int, *, deadline: float = 300) -> float:
        """Return after how many seconds Prefect has recorded so many task runs of a flow run.

        Raises:
            TimeoutError: it never did.
        """
        began = monotonic()
        query = "SELECT count(*) FROM task_run WHERE flow_run_id = ? AND end_time IS NOT NULL"
        file = self.directory / "prefect" / "prefect.db"
        with closing(sqlite3.connect(file, timeout=60)) as prefect:
            while monotonic() - began < deadline:
                if prefect.execute(query, (flow_run_id,)).fetchone()[0] >= number:
                    return monotonic() - began
                sleep(0.2)
        raise TimeoutError(f"Prefect did not record {number} task runs within {deadline:g} s")


@contextmanager
def stage(
    accounts: int,
    *,
    data: Path | None = None,
    cluster: Cluster | None = None,
    distance: float = 0,
) -> Iterator[Stage]:
    """Set the stage, with a Prefect server, and leave nothing of it behind.

    Args:
        accounts: how many.
        data: a directory for everybody's data; None: in memory, where the system has a place.
        cluster: where Prefect's server keeps its data and messages; None: in a file and in itself.
        distance: seconds that users' packets are on their way to the chat server and back.
    """
    keep_data_in(data)
    names = [person.name for person in people(accounts)]
    passwords = {name: token_urlsafe(12) for name in names}
    # What any server has: PEP. Our own module would make each status cheaper.
    prosody = BenchProsody(DOMAIN, passwords, {}, modules=["privilege"])
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="lastword-bench-")))
        hosts = -(-accounts // A_HOST)
        with _started() as chat:
            stack.enter_context(prosody)
        posts = stack.enter_context(posting(accounts, hosts=hosts, latency=LATENCY))
        with _started() as prefect:
            api = stack.enter_context(temporary_server(home, cluster))
        servers = {"Prosody": chat[0], "hosts": psutil.Process(posts.pid), "Prefect": prefect[0]}
        chat_at = prosody.address
        if distance:
            chat_at = stack.enter_context(proxy_beside(chat_at, distance / 2)).address
        environment = _environment(home, api, prosody, chat_at, posts)
        scene = Stage(names, passwords, home, posts, prosody, chat_at, servers, environment)
        for publisher in PUBLISHERS:
            asyncio.run(_add_accounts(scene, publisher))
        _wait_until_it_answers(api)
        yield scene


@contextmanager
def _started() -> Iterator[list[psutil.Process]]:
    """Give a list that holds, after the block, the processes that were started in it."""
    before = {process.pid for process in psutil.Process().children()}
    found: list[psutil.Process] = []
    yield found
    found += (it for it in psutil.Process().children() if it.pid not in before)


def _environment(
    home: Path, api: str, prosody: BenchProsody, chat: tuple[str, int], posts: Posts
) -> dict[str, str]:
    """Return what every process needs to find everything; all else is as it is by default."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LASTWORD_", "PREFECT_"))
    }
    return {
        **inherited,
        **client_environment(home / "prefect", api),
        # As `lastword run` has it.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "LASTWORD_KEY_FILE": str(home / "key"),
        "LASTWORD_ALLOW_HOSTS": json.dumps(posts.allow_hosts),
        "LASTWORD_CA_FILE": str(prosody.ca_file),
        "LASTWORD_XMPP_SERVERS": json.dumps({DOMAIN: f"{chat[0]}:{chat[1]}"}),
        "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway}),
    }


async def _add_accounts(scene: Stage, publisher: str) -> None:
    """Make a database with everybody in it."""
    settings = Settings(data_dir=scene.directory / publisher, key_file=scene.directory / "key")
    settings.data_dir.mkdir()
    if not settings.key_path.exists():
        Keyring.create(settings.key_path)
    keyring = Keyring.load(settings)
    async with Database.open(settings.database, check=False) as database:
        await schema.upgrade(database)
        await keyring.adopt(database)
        await import_rows(
            database, [_row(scene, it, publisher) for it in scene.names], keyring=keyring
        )


def _row(scene: Stage, name: str, publisher: str) -> Row:
    cells = {
        "name": name,
        "source": scene.posts.sources[name],
        "jid": f"{name}@{DOMAIN}",
        "publisher": publisher,
    }
    if publisher == "login":
        cells["password"] = scene.passwords[name]
    return Row.of(name, cells)


def _wait_until_it_answers(api: str) -> None:
    from deployments.server import wait_until_it_answers  # noqa: PLC0415 (imports Prefect)

    asyncio.run(wait_until_it_answers(api, _START))
