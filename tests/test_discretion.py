"""Logs at level DEBUG, with secrets thrown at them."""

import asyncio
import gc
import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretBytes, SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from lastword.discretion import be_discreet, discreet
from lastword.errors import Rejected
from lastword.sealing import Seal, SealedFor
from lastword.surprise import frames, words
from models import Account
from models.database import Database

SECRET = "cAnArY-77ab"
SEALED = Seal(SecretBytes(bytes(32))).seal(
    SecretStr("x"), SealedFor("account", "secret", 1, "chat.example")
)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged from now on, by anybody."""
    before, root = logging.getLogRecordFactory(), logging.getLogger()
    handler = logging.StreamHandler(written := io.StringIO())
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    be_discreet()
    be_discreet()
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize(
    "said",
    [
        f"postgresql+asyncpg://lastword:{SECRET}@db.example/lastword is away",
        f"GET https://blog.example/feed?token={SECRET}&n=1 200",
        f"Authorization: Bearer {SECRET}",
        f"headers=[(b'Authorization', b'Bearer {SECRET}')]",
        f"[(b'Cookie', b'{SECRET}')]",
        f"SEND: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{SECRET}</auth>",
        f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{SECRET}</response>",
        f"password={SECRET}",
        f'{{"access_token": "{SECRET}"}}',
        f"LASTWORD_X_TOKEN={SECRET}",
        f"Basic {SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_left_out(said: str) -> None:
    assert SECRET not in discreet(said)
    assert discreet(discreet(said)) == discreet(said)


def test_the_rest_stays() -> None:
    for said in (
        "chat.example refused the password: set the right one with `lastword accounts edit`",
        "GET https://blog.example/feed 200 OK",
        "12 of 800 sessions are up, token by token",
        "it was sealed with key v1.0a1b2c3d",
    ):
        assert discreet(said) == said
    assert SEALED.split(".")[2] not in discreet(f"parameters: {SEALED}")


def test_loggers_of_ours_and_of_libraries(log: io.StringIO) -> None:
    for name in ("lastword.attempt", "httpx", "httpcore.http11", "slixmpp.xmlstream", "asyncpg"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)  # as somebody does who looks for a fault
        logger.debug("sent %s to %s", f"<auth>{SECRET}</auth>", f"https://u:{SECRET}@h/?a={SECRET}")
        logger.setLevel(logging.NOTSET)
    assert SECRET not in log.getvalue()
    assert log.getvalue().count("\n") == 5


def test_exceptions(log: io.StringIO) -> None:
    try:
        int(f"password={SECRET}")
    except ValueError:
        logging.getLogger("lastword").exception("it broke")
    assert "ValueError" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_httpx_tells_the_path_only(log: io.StringIO) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get(
            f"https://blog.example/feed?key={SECRET}", headers={"authorization": SECRET}
        )
    assert "GET https://blog.example/feed?…" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_values_of_the_database(log: io.StringIO, database: Database) -> None:
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    logging.getLogger("aiosqlite").setLevel(logging.DEBUG)
    words: dict[str, Any] = {
        "name": "alice",
        "source": "x:alice",
        "jid": SECRET,
        "published_status": SECRET,
    }
    async with database.writing() as session:
        session.add(Account(**words))
    with pytest.raises(IntegrityError) as told:
        async with database.writing() as session:
            session.add(Account(**words))
    assert SECRET not in str(told.value)
    async with database.session() as session:
        await session.connection()
        await (await session.connection()).execute(text("SELECT :w"), {"w": SECRET})
    for name in ("sqlalchemy.engine", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)
    assert SECRET not in log.getvalue()


def test_errors_that_nobody_expected_say_where_and_not_with_what(log: io.StringIO) -> None:
    try:
        try:
            dict[str, str]()[SECRET]
        except KeyError:
            int(SECRET)
    except ValueError as error:
        logging.getLogger("prefect.flow_runs").exception("it broke: %r", error)  # noqa: TRY401
    logging.getLogger("lastword").error("as %(it)s", {"it": UnicodeError(SECRET)})
    assert "KeyError: …" in log.getvalue()
    assert "ValueError: …" in log.getvalue()
    assert "test_discretion.py" in log.getvalue()
    assert SECRET not in log.getvalue()


def test_words_that_are_made_with_care_are_shown() -> None:
    assert words(Rejected("chat.example refused")) == "Rejected: chat.example refused"
    assert words(FileNotFoundError(2, "No such file", "/x")).endswith("No such file: '/x'")
    assert words(KeyError(SECRET)) == "KeyError: …"
    group = ExceptionGroup(SECRET, [ValueError(SECRET), OSError("the disk is full")])
    assert SECRET not in frames(group)
    assert "the disk is full" in frames(group)


def test_what_asyncio_describes(log: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(SECRET)

    async def leave() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(leave())
    assert "Task exception was never retrieved" in log.getvalue()
    assert SECRET not in log.getvalue()


LAST_WORDS = """
import sys, threading
from lastword.discretion import be_discreet
be_discreet()
class Unlucky:
    def __del__(self):
        raise ValueError(sys.argv[1])
Unlucky()
def fail(): raise KeyError(sys.argv[1])
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise RuntimeError(sys.argv[1])
"""


def test_what_a_process_says_when_it_dies() -> None:
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LAST_WORDS, SECRET], capture_output=True, check=False
    )
    assert ended.returncode == 1
    said = ended.stderr.decode()
    assert [f"{kind}: …" in said for kind in ("ValueError", "KeyError", "RuntimeError")] == [
        True
    ] * 3
    assert SECRET not in said


def test_no_core_dump_of_our_processes() -> None:
    code = (
        "from lastword.discretion import be_discreet; be_discreet(); import resource;"
        "print(resource.getrlimit(resource.RLIMIT_CORE), open('/proc/self/coredump_filter').read())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603
    assert ended.stdout.split() == [b"(0,", b"0)", b"00000000"]
