"""Secrets and posts that are unique, all kinds of failures, everything logged, then a search.

No secret may be anywhere but sealed in our table, no post in anything of Prefect's or in a log,
no user's address either: not while it runs (arguments, environments), not in what is left.
"""

import asyncio
import json
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

import psutil
import pytest
from pydantic import SecretStr

from demo.command import COMMAND
from demo.people import Person, people
from demo.prefect_api import PrefectAPI, State
from demo.stage import DOMAIN, Stage, free_port, stage
from faults import broken_chat, defects
from faults.processes import processes_of
from faults.searching import Canaries, check_search
from faults.serving import serving
from lastword import accounts
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.wiring import Wiring
from models.database import Database

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(900)]

DEPLOYMENT = "sync-accounts/every-30-minutes"
BROKEN_SOURCES = ("garbage", "500", "429", "a stranger's certificate")
BROKEN_CHAT = (
    "closes the stream",
    "shuts down",
    "resets after the password",
    "temporary-auth-failure",
    "not-authorized",
    "a stranger's certificate",
)
_HERE = Path(__file__).parent
_LOOK = 0.1
END = 300.0
"""Seconds for anything, on a machine that is busy with others."""
_HURRIED = {
    "LASTWORD_HTTP_DEADLINE": "2",
    "LASTWORD_XMPP_DEADLINE": "4",
    "LASTWORD_RETRY_SECONDS": "1",
}


@dataclass
class Words:
    """Canaries of a scene: those that must be nowhere, and those that are our own tables' affair.

    Attributes:
        secrets: by what each is.
        private: posts and addresses, likewise.
        seen: what was found in arguments and environments while it ran.
        looked: at so many processes.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    looked: int = 0

    def secret(self, what: str) -> str:
        """Return a new secret."""
        word = self.secrets[what] = f"Zq{token_hex(12)}"
        return word

    def post(self, what: str) -> str:
        """Return a new post."""
        word = self.private[what] = f"Kv{token_hex(12)}"
        return f"Tea with {word} and no sugar"


def _crowd(words: Words) -> list[Person]:
    """Return people who write what nobody else ever wrote, all their posts anew."""
    crowd = people(8)
    for person in crowd:
        person.posts = [
            replace(post, text=words.post(f"post {post.number}")) for post in person.posts
        ]
    return crowd


@asynccontextmanager
async def _scene(words: Words, tmp_path: Path) -> AsyncIterator[Stage]:
    """Set a stage on which everything fails in some way, and everybody logs everything."""
    async with stage(_crowd(words), _HURRIED) as scene:
        names = [broken_chat.domain_of(number) for number in range(len(broken_chat.WAYS))]
        certificate = scene.prosody.ca.issue_cert(*names)
        pem = tmp_path / "broken.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
        async with (
            serving("faults.broken_sources") as (sources, _),
            serving("faults.broken_chat", str(pem)) as (chat, _),
        ):
            _settle(scene, words, sources, chat)
            await _add_accounts(scene, words, sources)
            yield scene


def _settle(
    scene: Stage, words: Words, sources: Mapping[str, str], chat: Mapping[str, str]
) -> None:
    """Give the installation its secrets as files, and hosts that are broken."""
    told = scene.lastword.environment
    kept = scene.directory / "secrets"
    kept.mkdir(mode=0o700)
    files = {
        "OPERATORS": told.pop("LASTWORD_OPERATORS"),
        "X_TOKEN": words.secret("X's token"),
        "MASTODON_TOKENS": json.dumps(
            {"localhost": words.secret("Mastodon's token"), "127.0.0.1": "another"}
        ),
        "NOTIFIER_PASSWORD": words.secret("the notifier's password"),
        "PING_URL": f"http://127.0.0.1:9/{words.secret('the ping')}",
    }
    words.secrets["the component's secret"] = scene.prosody.gateway["secret"]
    for name, text in files.items():
        file = kept / name
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")
        told[f"LASTWORD_{name}_FILE"] = str(file)
    servers = json.loads(told["LASTWORD_XMPP_SERVERS"])
    for number, at in enumerate(chat.values()):
        servers[broken_chat.domain_of(number)] = at
    allowed = [*json.loads(told["LASTWORD_ALLOW_HOSTS"]), *sources.values()]
    temporary = scene.directory / "tmp"
    temporary.mkdir(mode=0o700)
    told |= {
        "LASTWORD_XMPP_SERVERS": json.dumps(servers),
        "LASTWORD_ALLOW_HOSTS": json.dumps(allowed),
        "LASTWORD_DATABASE_URL": f"sqlite:///{scene.lastword.data_dir}/lastword.db?timeout=1",
        "LASTWORD_NOTIFIER_JID": f"notifier@{DOMAIN}",
        # It refuses the app's token.
        "LASTWORD_X_API": f"http://{sources['a body without end']}",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_SERVER_LOGGING_LEVEL": "DEBUG",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": f"{_HERE / 'hooks'}{os.pathsep}{_HERE.parent}",
        "TMPDIR": str(temporary),
        defects.WORDS: str(scene.directory / "defects"),
    }


async def _add_accounts(scene: Stage, words: Words, sources: Mapping[str, str]) -> None:
    """Add an account for each way to fail, each with a password of its own."""
    site = scene.site
    well = next(person for person in people(8) if person.kind == "atom" and not person.broken)
    good = site.source_address(well)
    rows = {
        defects.IN_SOURCE: (good, DOMAIN),
        defects.IN_PUBLISHER: (good, DOMAIN),
        "of-x": ("x:somebody", DOMAIN),
    }
    for number, way in enumerate(BROKEN_SOURCES):
        scheme = "https" if "certificate" in way else "http"
        address = f"feed:{scheme}://{sources[way]}/feed.xml?key={words.secret(f'key {number}')}"
        rows[f"source-{number}"] = (address, DOMAIN)
    ways = [*broken_chat.WAYS]
    for way in BROKEN_CHAT:
        number = ways.index(way)
        rows[f"chat-{number}"] = (good, broken_chat.domain_of(number))
    home = scene.lastword.data_dir
    keyring = Keyring.load(Settings(data_dir=home, key_file=None, key=None))
    async with Database.open(f"sqlite:///{home}/lastword.db") as database:
        await keyring.check(database)
        for name, (source, domain) in rows.items():
            jid = f"{words.post(f'address of {name}').split()[2].lower()}@{domain}"
            password = SecretStr(words.secret(f"password of {name}"))
            if name == defects.IN_PUBLISHER:  # it has to come so far
                jid = f"{well.name}@{domain}"
                password = SecretStr(scene.passwords[well.name])
            wiring = Wiring(name, source, jid, "login")
            await accounts.add(database, wiring, password=password, keyring=keyring)


@asynccontextmanager
async def _up(scene: Stage) -> AsyncIterator[PrefectAPI]:
    """Run `lastword up`, what it says kept where all else is."""
    port = free_port()
    said = scene.directory / "up.log"
    with said.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(COMMAND, "up", "--port", str(port)),
            env=scene.lastword.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(END):
            while b"is up" not in said.read_bytes():
                assert process.returncode is None, said.read_text()
                await asyncio.sleep(0.2)
        async with PrefectAPI(f"http://127.0.0.1:{port}/api") as api:
            await api.pause(DEPLOYMENT)
            yield api
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _watching(scene: Stage, words: Words) -> AsyncIterator[None]:
    """Look at the arguments and environments of all its processes for the length of the block."""
    canaries = Canaries({**words.secrets, **words.private})
    known: set[tuple[int, float]] = set()

    async def watch() -> None:
        while True:
            for process in processes_of(scene.lastword.data_dir):
                with suppress(psutil.Error):
                    if (key := (process.pid, process.create_time())) in known:
                        continue
                    told = json.dumps([process.cmdline(), process.environ()]).encode()
                    known.add(key)
                    words.looked += 1
                    if found := canaries.found_in(told):
                        words.seen[" ".join(process.cmdline())] = found
            await asyncio.sleep(_LOOK)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _flow_run(api: PrefectAPI) -> str:
    return await api.start(DEPLOYMENT, {"which": "all", "force": True})


async def _whole(api: PrefectAPI) -> State:
    return await api.end(await _flow_run(api), deadline=END)


async def _killed(api: PrefectAPI, scene: Stage, number: signal.Signals) -> None:
    """Run until accounts are under way, then kill the run as it can only be killed."""
    before = _done(scene)
    run = await _flow_run(api)
    async with asyncio.timeout(END):
        while (done := _done(scene)) == before or not done[1]:
            await asyncio.sleep(0.02)
    (process,) = [
        it for it in processes_of(scene.lastword.data_dir) if "prefect.engine" in it.cmdline()
    ]
    home = Path("/proc", str(process.pid))
    assert int((home / "coredump_filter").read_text(), 16) == 0, "a core has memory in it"
    (limit,) = [it for it in (home / "limits").read_text().splitlines() if "core file" in it]
    assert limit.split()[4:6] == ["0", "0"], limit
    process.send_signal(number)
    await api.end(run, deadline=END)


def _done(scene: Stage) -> tuple[int, int]:
    """Return the newest run, and how many accounts have their outcome in it."""
    question = (
        "SELECT id, (SELECT count(*) FROM account WHERE last_run_id = run.id) FROM run"
        " ORDER BY id DESC LIMIT 1"
    )
    with closing(sqlite3.connect(scene.lastword.data_dir / "lastword.db", timeout=60)) as database:
        found: tuple[int, int] = database.execute(question).fetchone() or (0, 0)
    return found


async def _locked(api: PrefectAPI, scene: Stage) -> State:
    """Run while another program holds the database for ever, from when accounts are chosen."""
    with closing(sqlite3.connect(scene.lastword.data_dir / "lastword.db", timeout=60)) as database:
        run = await _flow_run(api)
        async with asyncio.timeout(END):
            while (await api.state(run)).type != "RUNNING":
                await asyncio.sleep(0.05)
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")
        return await api.end(run, deadline=END)


@pytest.fixture
def _cores() -> Iterator[None]:
    """Let whoever dies leave a core, unless they see to it that they do not."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("_cores")
async def test_no_secret_and_no_post_is_where_it_should_not_be(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    check_search()
    words, ends = Words(), {}
    async with _scene(words, tmp_path) as scene:
        words.secrets |= {f"password of {name}": it for name, it in scene.passwords.items()}
        key = (scene.lastword.data_dir / "key").read_text().strip()
        words.secrets["the key"] = key
        broken = scene.directory / "defects"
        async with _watching(scene, words), _up(scene) as api:
            ends["all at once"] = await _whole(api)
            await _killed(api, scene, signal.SIGABRT)
            await _killed(api, scene, signal.SIGKILL)
            ends["locked"] = await _locked(api, scene)
            broken.write_text(f"{defects.IN_SUMMARY} {words.post('in the summary')}", "utf-8")
            ends["summary"] = await _whole(api)
            broken.write_text(f"{defects.IN_REPORT} {words.post('in the report')}", "utf-8")
            ends["report"] = await _whole(api)
            broken.unlink()
        _check(scene, words, ends)
    record_property(
        "told",
        f"{len(words.secrets)} secrets and {len(words.private)} posts and addresses;"
        f" {words.looked} processes looked at",
    )


def _check(scene: Stage, words: Words, ends: Mapping[str, State]) -> None:
    assert "ValueError at" in ends["report"].message, ends
    assert ends["locked"].type == "FAILED", ends
    assert words.looked > 6
    assert words.seen == {}, "arguments and environments"
    assert [*scene.directory.rglob("core*")] == []
    secrets = Canaries(words.secrets).found_below(scene.directory)
    # What holds them is meant to; a feed's address with a key in it is the account's source.
    kept = {place: what for place, what in secrets.items() if not place.startswith("secrets/")}
    keys = {what for what in words.secrets if what.startswith("key ")}
    ours = {place: what - keys for place, what in kept.items() if _is_ours(place)}
    others = {place: what for place, what in kept.items() if not _is_ours(place)}
    assert others == {"data/key": {"the key"}}
    assert not any(ours.values()), ours
    private = Canaries(words.private).found_below(scene.directory)
    assert {place: what for place, what in private.items() if not _is_ours(place)} == {}
    assert any("account.published_status" in place for place in private), "looked nowhere"
    log = (scene.lastword.data_dir / "logs" / "worker.log").read_text("utf-8", "replace")
    # The dump of a crash is written piece by piece while other threads go on logging.
    dump = ("Fatal Python error: ", "Aborted\n", "(most recent call first):\n")
    for said in ("KeyError: …", "RuntimeError: …", *dump, "DEBUG"):
        assert said in log, said


def _is_ours(place: str) -> bool:
    """Tell our own database: it knows posts and addresses, and secrets sealed."""
    return place.startswith("data/lastword.db")
