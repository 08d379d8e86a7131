"""The profile `cluster` is refused in one line where what it needs does not serve."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from demo.postgresql import psql
from demo.private_redis import private_redis
from deployments.profile import Cluster, PrefectServer, server_environment
from tests.fixtures_cli import Lastword, assert_refused
from tests.fixtures_database import REDIS_PASSWORD

NOBODY = "redis://:canary@127.0.0.1:1/0"
DATABASE, REDIS = "LASTWORD_PREFECT_DATABASE_URL", "LASTWORD_REDIS_URL"


@pytest.fixture
def both(redis_url: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Both set, and well."""
    monkeypatch.setenv(DATABASE, postgresql_url)
    monkeypatch.setenv(REDIS, redis_url)
    return postgresql_url, redis_url


@pytest.fixture(scope="module")
def forgetful() -> Iterator[str]:
    """A Redis that throws away what it has when it is full."""
    with private_redis("maxmemory 10mb", "maxmemory-policy allkeys-lru") as url:
        yield url


def refused(lastword: Lastword, *words: str) -> None:
    ended = lastword("up", "--profile", "cluster")
    assert_refused(ended, *words)
    assert "canary" not in ended.err


def test_both_must_be_set(lastword: Lastword, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDIS, NOBODY)
    refused(lastword, f"needs {DATABASE} (PostgreSQL) and {REDIS} (Redis)")
    assert not data.exists(), "nothing was begun"


def test_another_server_has_a_profile_of_its_own(lastword: Lastword) -> None:
    said = lastword("up", "--profile", "cluster", "--server", "http://127.0.0.1:1/api")
    assert_refused(said, "leave one of them out")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////tmp/prefect.db", "keeps Prefect's tables in PostgreSQL, like postgresql://"),
        ("postgresql://u:canary@/d?host=/nowhere", "PostgreSQL at /nowhere cannot be reached"),
        ("postgresql://u:canary@h:port/d", "is malformed"),
    ],
)
def test_a_database_that_is_none(
    lastword: Lastword,
    both: tuple[str, str],
    url: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del both
    monkeypatch.setenv(DATABASE, url)
    refused(lastword, f"{DATABASE}: ", words)


def test_a_database_that_is_not_prefects_alone(
    lastword: Lastword,
    both: tuple[str, str],
    postgresql_socket: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, _ = both
    monkeypatch.setenv("LASTWORD_DATABASE_URL", url)
    refused(lastword, "has our own tables", "createdb")
    monkeypatch.delenv("LASTWORD_DATABASE_URL")
    psql(postgresql_socket, "CREATE TABLE ledger ()", _name(url))
    refused(lastword, "has our own tables", "createdb")


def test_a_user_who_may_not_make_what_prefect_needs(
    lastword: Lastword,
    both: tuple[str, str],
    postgresql_socket: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, _ = both
    guest = f"guest_{_name(url)}"
    psql(postgresql_socket, f"CREATE ROLE {guest} LOGIN")
    monkeypatch.setenv(DATABASE, url.replace("lastword@", f"{guest}@"))
    refused(lastword, f"our user {guest} may not make tables in it")
    psql(postgresql_socket, f"GRANT CREATE ON SCHEMA public TO {guest}", _name(url))
    refused(lastword, "may not make the extension pg_trgm", "CREATE EXTENSION")
    psql(postgresql_socket, "CREATE EXTENSION pg_trgm", _name(url))
    refused(lastword, "there is no key")  # what comes next
    psql(postgresql_socket, f"DROP OWNED BY {guest}", _name(url))
    psql(postgresql_socket, f"DROP ROLE {guest}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://:canary@host/0", "is malformed: it looks like redis://"),
        ("redis://:canary@host:port/0", "is malformed"),
        (NOBODY, "Redis at 127.0.0.1:1 cannot be reached (Connection refused)"),
        ("redis://:canary@no-such-host.invalid", "Redis at no-such-host.invalid:6379 cannot be"),
    ],
)
def test_a_redis_that_is_none(
    lastword: Lastword,
    both: tuple[str, str],
    url: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del both
    monkeypatch.setenv(REDIS, url)
    refused(lastword, f"{REDIS}", words)


def test_a_redis_that_does_not_serve_us(
    lastword: Lastword, both: tuple[str, str], forgetful: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = both
    for wrong, words in (
        (url.replace(REDIS_PASSWORD, "another"), "refuses us: look at user and password"),
        (url.replace(f":{REDIS_PASSWORD}@", ""), "refuses us: look at user and password"),
        (f"{url}99", "DB index is out of range"),
        (forgetful, "throws messages away when it is full (maxmemory-policy allkeys-lru)"),
    ):
        monkeypatch.setenv(REDIS, wrong)
        refused(lastword, words)


def test_only_in_its_own_profile_the_server_is_told_of_them(tmp_path: Path) -> None:
    cluster = Cluster(SecretStr("postgresql+asyncpg://p"), SecretStr("redis://r"))
    single = server_environment(tmp_path, "http://127.0.0.1:1/api")
    both = server_environment(tmp_path, "http://127.0.0.1:1/api", cluster=cluster)
    more = {name: value for name, value in both.items() if name not in single}
    assert more == {
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://p",
        "PREFECT_REDIS_MESSAGING_URL": "redis://r",
    }
    assert "//" not in repr(PrefectServer(cluster=cluster))


def _name(url: str) -> str:
    return url.split("/")[3].partition("?")[0]
