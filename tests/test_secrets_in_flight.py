"""Wherever a secret is held, nothing that is printed of the holder shows it."""

import asyncio
import json
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretBytes, SecretStr

from lastword.errors import LastWordError
from lastword.holder.service import Holder
from lastword.holder.settings import HoldSettings
from lastword.keyfile import read_keys
from lastword.ping import Ping
from lastword.publishers.component import Component
from lastword.publishers.dns import Directory
from lastword.publishers.managed import ManagedClient, Resumption
from lastword.publishers.operator import OperatorSettings
from lastword.publishers.resumption import Saved
from lastword.publishers.session import xmpp_session
from lastword.rows import Row
from lastword.secrets import Keyring
from lastword.services import open_services
from lastword.settings import Settings
from lastword.sources.mastodon import MastodonSettings
from lastword.sources.x_settings import XSettings
from models import schema
from models.account import Account
from models.database import Database
from tests.fixtures_xmpp import StartServer
from tests.xmpp_peer import DOMAIN, JID, Peer, mechanisms

CANARY = "cAnArY77ab"
OPERATORS = {DOMAIN: {"component": f"c.{DOMAIN}", "secret": CANARY, "server": "127.0.0.1:9"}}
LEAVES = (str, bytes, bytearray, int, float, type(None), type, SecretStr, SecretBytes)
HOLDERS = ("builtins", "collections", "functools", "lastword", "models", "pydantic", "slixmpp")
"""Where the classes are from that are walked through; those of asyncio lead everywhere."""


@pytest.fixture
def _all_set(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting that holds a secret holds the canary."""
    del data
    for name, value in {
        "DATABASE_URL": f"postgresql://u:{CANARY}@localhost/lastword",
        "NOTIFIER_JID": f"n@{DOMAIN}",
        "NOTIFIER_PASSWORD": CANARY,
        "PING_URL": f"https://ping.example/{CANARY}",
        "X_TOKEN": CANARY,
        "MASTODON_TOKENS": json.dumps({"social.example": CANARY}),
        "OPERATORS": json.dumps(OPERATORS),
    }.items():
        monkeypatch.setenv(f"LASTWORD_{name}", value)


def walk(start: object, place: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Yield everything that is reached from an object by attributes and items, with its place."""
    home = type(start).__module__.partition(".")[0]
    if id(start) in seen or isinstance(start, ModuleType) or home not in HOLDERS:
        return
    seen.add(id(start))
    yield place, start
    if isinstance(start, LEAVES):
        return
    inner: list[tuple[str, object]] = []
    if isinstance(start, Mapping):
        inner += [(f"{place}[{key!r:.40}]", value) for key, value in dict(start).items()]
    elif isinstance(start, (list, tuple, set, frozenset)):
        inner += [(f"{place}[{number}]", value) for number, value in enumerate(start)]
    for kind in type(start).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        inner += [(f"{place}.{name}", getattr(start, name, None)) for name in names]
    inner += [(f"{place}.{name}", value) for name, value in getattr(start, "__dict__", {}).items()]
    if bound := getattr(start, "__self__", None):
        inner.append((f"{place}.__self__", bound))
    for cell in getattr(start, "__closure__", None) or ():
        inner.append((f"{place}<closure>", cell.cell_contents))
    for name, value in inner:
        yield from walk(value, name, seen)


def assert_hidden(*starts: object) -> None:
    """Assert that no plain text with the canary is reached, and no description shows it."""
    looked = 0
    for start in starts:
        for place, found in walk(start, type(start).__name__, set()):
            looked += 1
            if isinstance(found, str | bytes | bytearray):
                plain = found if isinstance(found, str) else bytes(found).decode("latin-1")
                assert CANARY not in plain, place
            else:
                assert CANARY not in f"{found!r}", place
                assert CANARY not in f"{found}", place
    assert looked > len(starts)


@pytest.mark.usefixtures("_all_set")
def test_settings() -> None:
    settings = (Settings(), XSettings(), MastodonSettings(), OperatorSettings())
    # The walk goes into SecretStr itself nowhere.
    assert_hidden(*settings)
    assert XSettings().x_token == SecretStr(CANARY)
    assert OperatorSettings().operators[DOMAIN].read_secret(DOMAIN) == SecretStr(CANARY)
    assert_hidden(Ping(Settings().ping_url), Row.of("here", {"name": "a", "password": CANARY}))


@pytest.mark.usefixtures("_all_set")
async def test_services_and_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_DATABASE_URL", f"sqlite:///{tmp_path}/lastword.db")
    settings = Settings()
    Keyring.create(settings.key_path)
    async with Database.open(settings.database, check=False) as database:
        await schema.upgrade(database)
        await Keyring.load(settings).adopt(database)
        holder = Holder(
            database, Keyring.load(settings), ssl.create_default_context(), settings, HoldSettings()
        )
    key = settings.key_path.read_text().strip()
    monkeypatch.setattr("tests.test_secrets_in_flight.CANARY", key)
    assert_hidden(Keyring.load(settings), read_keys(settings), holder)
    monkeypatch.undo()
    async with open_services(settings) as services:
        assert_hidden(services)
        account = Account(id=1, name="a", source="x:a", jid=JID)
        assert services.keyring
        account.secret = services.keyring.seal_password(account, SecretStr(CANARY))
        assert_hidden(services.keyring.open_password(account), account)


def test_what_resumes_a_session() -> None:
    assert_hidden(
        Saved(JID, SecretStr(CANARY), handled=1, sent=1, seconds=1), Resumption(SecretStr(CANARY))
    )


@pytest.fixture
async def component() -> AsyncIterator[Component]:
    component = Component(
        f"c.{DOMAIN}",
        SecretStr(CANARY),
        ("127.0.0.1", 9),
        domain=DOMAIN,
        deadline=1,
        answer_deadline=1,
    )
    yield component
    await component.drop()


async def test_acomponent(component: Component) -> None:
    assert_hidden(component)


async def test_a_client_in_session_and_its_error(
    xmpp_server: StartServer, tls: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.in_session(f"{JID}/x")

    server = await xmpp_server(script)
    told: traceback.TracebackException | None = None
    try:
        async with xmpp_session(
            JID,
            SecretStr(CANARY),
            tls=tls,
            address=server.address,
            deadline=10,
            answer_deadline=10,
            logins=asyncio.Semaphore(1),
            directory=Directory(),
        ) as client:
            assert_hidden(client)
            raise KeyError("a defect of ours")  # noqa: TRY301 (what is looked at)
    except KeyError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert told
    assert CANARY not in "".join(told.format())


async def test_an_error_while_logging_in(xmpp_server: StartServer, tls: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.encrypted(mechanisms("PLAIN"))
        await peer.expect("<auth[^>]*>[^<]*</auth>")
        peer.reset()

    server = await xmpp_server(script)
    client = ManagedClient(
        f"{JID}/x", SecretStr(CANARY), tls=tls, directory=Directory(), answer_deadline=5
    )
    with pytest.raises(LastWordError) as caught:
        await client.log_in(server.address, 10)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    await client.drop()
    assert_hidden(client)
    assert CANARY not in "".join(told.format())
