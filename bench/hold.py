"""What does it take to keep sessions, and how long are statuses away when a server restarts?

The real `lastword hold` against a private Prosody. Exit code 1 where a session takes more memory
than it may, where a contact waits too long for a change, or where a restart of the server or a cut
of the network keeps sessions away for too long or makes logins a storm.
"""

import asyncio
import json
import os
import sys
import urllib.request
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Self

import psutil
from pydantic import SecretStr

from bench.figures import Criterion, Figures, Row, Table, add_options, finish
from bench.proxy import Proxy
from demo.contact import Contact, Seen
from demo.prosody import Prosody
from lastword import accounts
from lastword.holder.settings import HoldSettings
from lastword.publishers.hold import Hold
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.wiring import Wiring
from models import Account, schema
from models.database import Database

MEMORY = 400
"""KiB for a session."""
BACK = 60
"""Seconds until all sessions are back."""
SEEN = 6
"""Seconds until a contact sees a change."""
ENDED = 15
"""Seconds until the service has left."""

_CHANGES = 5
_START = 60.0
_PATIENCE = 120.0
_LOOK = 0.25
_PASSWORD = "correct horse"  # noqa: S105 (of made-up people)
_CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: memory in KiB, times in seconds, logins in the busiest second."""

    sessions: int
    memory: float
    first_logins: float
    seen_after: float
    restart_back: float
    restart_busiest: int
    cut_back: float
    cut_busiest: int
    left_after: float
    exit_code: int

    @property
    def back(self) -> float:
        """The longest time until all were back."""
        return max(self.restart_back, self.cut_back)

    @property
    def busiest(self) -> int:
        """The most connections in a second."""
        return max(self.restart_busiest, self.cut_busiest)


class Service:
    """The real service, started and ended.

    Args:
        process: of `lastword hold`.
        url: where it tells how it does.
    """

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self._url = url

    @classmethod
    @asynccontextmanager
    async def start(cls, environment: Mapping[str, str]) -> AsyncIterator[Self]:
        """Start it for the length of the block."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("lastword")),
            "hold",
            env={**os.environ, **environment, "LASTWORD_HOLD_HEALTH_PORT": "0"},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            if process.stdout is None:  # pragma: no cover: it is a pipe
                raise AssertionError
            async with asyncio.timeout(_START):
                line = (await process.stdout.readline()).decode()
            yield cls(process, line.split()[-1])
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def memory(self) -> float:
        """KiB that are this process' own."""
        found: int = psutil.Process(self._process.pid).memory_full_info().uss
        return found / 1024

    async def until(self, up: int, seconds: float) -> float:
        """Wait until so many sessions are up; return how long that took."""
        began = monotonic()
        # Another process: there is no event to await.
        while monotonic() - began < seconds and await asyncio.to_thread(self._up) != up:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)
        return monotonic() - began

    def kill(self) -> None:
        """Kill it: it has no time to leave."""
        self._process.kill()

    async def end(self) -> tuple[float, int]:
        """End it as a supervisor does; return seconds and exit code."""
        began = monotonic()
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 2 * ENDED)
        return monotonic() - began, self._process.returncode or 0

    def _up(self) -> int:
        """Return how many sessions are up; -1 where it is not ready, or too busy to say."""
        try:
            with urllib.request.urlopen(self._url, timeout=_START) as answer:  # noqa: S310 (loopback)
                found: int = json.load(answer)["up"]
        except OSError:
            return -1
        return found


class Runs:
    """What runs do: accounts, and statuses for them.

    Args:
        settings: of the installation.
        domain: of the accounts.
    """

    def __init__(self, settings: Settings, domain: str) -> None:
        self._settings = settings
        self._domain = domain
        self._database = Database(settings.database)
        self._accounts: list[Account] = []

    async def __aenter__(self) -> Self:
        self._settings.data_dir.mkdir(exist_ok=True)
        Keyring.create(self._settings.key_path)
        await schema.upgrade(self._database)
        self._keyring = Keyring.load(self._settings)
        await self._keyring.adopt(self._database)
        self._hold = Hold(self._database, deadline=_START)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hold.close()
        await self._database.dispose()

    async def add(self, names: Sequence[str]) -> None:
        for name in names:
            wiring = Wiring(name, "feed:https://blog.example/", f"{name}@{self._domain}", "hold")
            account = await accounts.add(
                self._database, wiring, password=SecretStr(_PASSWORD), keyring=self._keyring
            )
            self._accounts.append(account)

    async def publish(self, status: str, number: int | None = None) -> None:
        """Publish for all accounts at once, or for so many of them."""

        async def one(account: Account) -> None:
            async with self._hold.session(account) as session:
                await session.current()
                await session.set(f"{account.name}: {status}")

        await asyncio.gather(*map(one, self._accounts[:number]))


async def measure(sessions: int) -> Report:
    """Keep so many sessions through all that happens to them."""
    names = [f"person{number}" for number in range(sessions)]
    users = dict.fromkeys([*names, _CONTACT], _PASSWORD)
    with (
        TemporaryDirectory(prefix="lastword-bench-") as home,
        Prosody(users=users, contacts={_CONTACT: names}) as prosody,
    ):
        async with Proxy(prosody.address) as proxy:
            host, port = proxy.address
            environment = {
                "LASTWORD_DATA_DIR": f"{home}/data",
                "LASTWORD_XMPP_SERVERS": json.dumps({prosody.domain: f"{host}:{port}"}),
                "LASTWORD_CA_FILE": str(prosody.ca_file),
            }
            settings = Settings(data_dir=Path(home, "data"), database_url=None, key_file=None)
            async with (
                Runs(settings, prosody.domain) as runs,
                Service.start(environment) as service,
            ):
                return await _through(names, prosody, proxy, runs, service)


async def _through(
    names: Sequence[str], prosody: Prosody, proxy: Proxy, runs: Runs, service: Service
) -> Report:
    # What the first session loads for all others is not theirs.
    await runs.add(names[:1])
    await service.until(1, _START)
    await runs.publish("good morning")
    alone = service.memory
    await runs.add(names[1:])
    first_logins = await service.until(len(names), _PATIENCE)
    await runs.publish("good morning")
    memory = (service.memory - alone) / (len(names) - 1)
    seen_after = await _seen_after(names[0], prosody, runs)

    proxy.arrivals.clear()
    began = monotonic()
    await asyncio.to_thread(prosody.restart)
    await service.until(len(names), _PATIENCE)
    restart_back, restart_busiest = monotonic() - began, proxy.busiest()

    proxy.arrivals.clear()
    proxy.cut()
    began = monotonic()
    await asyncio.sleep(_LOOK)
    await service.until(len(names), _PATIENCE)
    cut_back, cut_busiest = monotonic() - began, proxy.busiest()
    left_after, exit_code = await service.end()
    return Report(
        sessions=len(names),
        memory=memory,
        first_logins=first_logins,
        seen_after=seen_after,
        restart_back=restart_back,
        restart_busiest=restart_busiest,
        cut_back=cut_back,
        cut_busiest=cut_busiest,
        left_after=left_after,
        exit_code=exit_code,
    )


async def _seen_after(name: str, prosody: Prosody, runs: Runs) -> float:
    """Return the longest time from a run's publishing until a contact sees it."""
    contact = Contact(
        f"{_CONTACT}@{prosody.domain}",
        _PASSWORD,
        host=prosody.host,
        port=prosody.port,
        ca_file=prosody.ca_file,
    )
    longest = 0.0
    async with contact:
        for number in range(_CHANGES):
            status = f"change {number}"
            began = monotonic()
            publishing = asyncio.create_task(runs.publish(status, 1))
            await contact.until(name, _is(f"{name}: {status}"))
            longest = max(longest, monotonic() - began)
            await publishing
    return longest


def _is(status: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.status == status


def figures(report: Report) -> Figures:
    """Return what was found, and what must hold."""
    own = HoldSettings()
    storm = own.hold_login_rate + own.hold_logins
    return Figures(
        name="hold",
        question="What does it take to keep sessions, and what does a restart do to them?",
        how=f"{report.sessions} sessions of the real `lastword hold` on a private Prosody, which is"
        " then restarted; then the network is cut.",
        tables=[
            Table(
                "all logged in",
                ["after, s", "connections in the busiest second"],
                [
                    Row("at first", [report.first_logins, None]),
                    Row(
                        "server restarted, all back", [report.restart_back, report.restart_busiest]
                    ),
                    Row("network cut, all back", [report.cut_back, report.cut_busiest]),
                ],
            )
        ],
        criteria=[
            Criterion("memory for a session", report.memory, MEMORY, "KiB"),
            Criterion("a contact sees a change after", report.seen_after, SEEN, "s"),
            Criterion("all are back after a restart or cut", report.back, BACK, "s"),
            Criterion("connections in the busiest second", report.busiest, storm),
            Criterion("it has left after SIGTERM", report.left_after, ENDED, "s"),
            Criterion("its exit code", report.exit_code, 0),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = ArgumentParser(prog="python -m bench.hold", description=__doc__)
    parser.add_argument("--sessions", type=int, default=300, help="how many (default 300)")
    add_options(parser)
    told = parser.parse_args(arguments)
    return finish(figures(asyncio.run(measure(told.sessions))), told)


if __name__ == "__main__":
    sys.exit(main())
