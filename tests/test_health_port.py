"""`/health`, `/ready` and `/metrics`: what they say, and to whom."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lastword.health_port import health_port
from lastword.metrics import metrics
from lastword.readiness import readiness
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.supervisor import keep_watchdog_quiet, tell_supervisor
from lastword.usage import UsageError
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.database import Database
from models.types import now


@pytest.fixture
async def settings(tmp_path: Path, database: Database) -> Settings:
    made = Settings(data_dir=tmp_path, database_url=database.url.render_as_string(False))
    Keyring.create(made.key_path)
    await Keyring.load(made).adopt(database)
    return made


@asynccontextmanager
async def asked(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """The port of an installation, and who asks."""

    async def ready() -> dict[str, object]:
        return await readiness(settings, database, {})

    async with (
        health_port(0, ready, metrics=lambda: metrics(database), setting="X") as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


async def test_ready_as_long_as_database_and_key_are(
    settings: Settings, database: Database
) -> None:
    async with asked(settings, database) as client:
        well = await client.get("/ready")
        assert (well.status_code, well.json()["ready"]) == (200, True)
        settings.key_path.rename(settings.key_path.with_name("lost"))
        lost = await client.get("/ready")
        assert lost.status_code == 503
        assert lost.json()["database"] == "ok"
        assert "there is no key" in lost.json()["key"]
        settings.key_path.with_name("lost").rename(settings.key_path)
        assert (await client.get("/ready")).status_code == 200
        assert (await client.get("/health")).json() == {"alive": True}
        assert (await client.post("/health")).status_code == 405
        assert (await client.get("/accounts")).status_code == 404


async def test_a_database_that_has_gone_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with (
        Database.open(settings.database, check=False) as database,
        asked(settings, database) as client,
    ):
        gone = await client.get("/ready")
        assert gone.status_code == 503
        assert "there is no database" in gone.json()["database"]
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/metrics")).status_code == 503


async def test_metrics_are_of_all_accounts_together(settings: Settings, database: Database) -> None:
    began = now() - timedelta(hours=1)
    async with database.writing() as session:
        run = Run(which="due", started_at=began, ended_at=began + timedelta(seconds=9))
        run.state, run.due, run.published, run.failed = "Degraded", 3, 2, 1
        stuck = Run(which="due", started_at=began - timedelta(hours=1))
        healths = (Health.OK, Health.OK, Health.NEEDS_OWNER)
        people = [
            Account(name=f"person{number}", source="x:a", jid="secret@chat.example", health=health)
            for number, health in enumerate(healths)
        ]
        paused = Account(name="paused", source="x:a", jid="a@chat.example", active=False)
        session.add_all([run, stuck, paused, *people])
        await session.flush()
        assert run.id
        assert people[0].id
        kind = OutcomeKind.PUBLISHED
        session.add(LedgerEntry(run_id=run.id, account_id=people[0].id, kind=kind))
    async with asked(settings, database) as client:
        text = (await client.get("/metrics")).text
    found = {
        (sample.name.removeprefix("lastword_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["accounts", "ok"] == 2
    assert found["accounts", "needs_owner"] == 1
    assert (found["accounts_paused",], found["accounts_due",], found["ledger_rows",]) == (1, 2, 1)
    assert (found["last_run_accounts", "Published"], found["last_run_due",]) == (2, 3)
    assert found["last_run_duration_seconds",] == 9
    assert found["run_ended_timestamp_seconds", "Degraded"] == began.timestamp() + 9
    oldest = (began - timedelta(hours=1)).timestamp()
    assert found["unfinished_run_started_timestamp_seconds",] == oldest
    assert "person" not in text
    assert "chat.example" not in text


async def test_a_taken_port_is_told() -> None:
    async def ready() -> dict[str, object]:
        return {"ready": True}

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=r"in use.*: set LASTWORD_HEALTH_PORT"):
            async with health_port(port, ready, setting="LASTWORD_HEALTH_PORT"):
                pass
    with pytest.raises(UsageError, match=r"at 127.0.0..1, port 0 \(it is no name\): set P"):
        async with health_port(0, ready, host="127.0.0..1", setting="P"):
            pass


async def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        tell_supervisor("READY=1")
        assert systemd.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    tell_supervisor("READY=1")
    await keep_watchdog_quiet()  # returns at once where no watchdog waits
