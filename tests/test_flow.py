"""The flow as people run it: `lastword run` against a real Prefect server, Prosody and site."""

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from prefect.settings import PREFECT_API_URL

from demo.command import LastWord
from demo.people import people
from demo.prefect_api import PrefectAPI, State
from demo.stage import CONTACT, DOMAIN, Stage, stage

pytestmark = pytest.mark.xdist_group("prefect")

CROWD = 16
BROKEN = 3
WELL = CROWD - BROKEN


@pytest.fixture
def api_url(prefect_server: None) -> str:
    del prefect_server
    return str(PREFECT_API_URL.value())


@pytest.fixture
async def api(api_url: str) -> AsyncIterator[PrefectAPI]:
    async with PrefectAPI(api_url) as api:
        yield api


@pytest.fixture
async def scene(api_url: str) -> AsyncIterator[Stage]:
    settings = {
        "PREFECT_API_URL": api_url,
        "LASTWORD_HTTP_DEADLINE": "1",
        "LASTWORD_RETRY_SECONDS": "0.1",
    }
    async with stage(people(CROWD), settings) as scene:
        yield scene


async def run(lastword: LastWord, *arguments: str) -> dict[str, object]:
    said = await lastword.ask("run", "--json", *arguments)
    assert "Traceback" not in said.errors
    result: dict[str, object] = json.loads(said.output)
    return result | {"code": said.code}


async def synced(api: PrefectAPI, result: dict[str, object], due: int) -> dict[str, State]:
    """Return the task runs of the accounts, by name."""
    recorded = await api.recorded(str(result["flow_run_id"]), due + 2, deadline=60)
    return {
        name.removeprefix("sync "): state
        for name, state in recorded.items()
        if name.startswith("sync ")
    }


async def check_contact(scene: Stage) -> None:
    """Check that the contact sees everybody's newest eligible post."""
    well = [person.name for person in people(CROWD) if not person.broken]
    async with scene.contact() as contact:
        seen = await contact.seen(well, 30, lambda seen: seen.status is not None)
    assert {name: seen[name].status for name in well} == {
        name: scene.site.newest(name) for name in well
    }


def query(lastword: LastWord, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(lastword.data_dir / "lastword.db")) as database:
        return database.execute(sql).fetchall()


async def test_two_runs_and_a_rerun_of_what_failed(scene: Stage, api: PrefectAPI) -> None:
    crowd = {person.name: person for person in people(CROWD)}
    report = scene.directory / "report.html"
    scene.lastword.environment |= {
        "LASTWORD_REPORT": str(report),
        "LASTWORD_NOTIFIER_JID": f"{CONTACT}@{DOMAIN}",
        "LASTWORD_NOTIFIER_PASSWORD": scene.passwords[CONTACT],
    }

    first = await run(scene.lastword)
    assert (first["state"], first["code"]) == ("Degraded", 3)
    task_runs = await synced(api, first, CROWD)
    assert task_runs.keys() == crowd.keys()
    for name, person in crowd.items():
        assert task_runs[name].name == ("Failed" if person.broken else "Published")
        assert person.symptom in task_runs[name].message
    artifacts = await api.artifacts(str(first["flow_run_id"]))
    assert f"| Published | {WELL} |" in artifacts["sync-summary"]
    assert "differ" not in artifacts["sync-summary"]
    failures = {row["Account"]: row for row in json.loads(artifacts["sync-failures"])}
    assert failures.keys() == {name for name, person in crowd.items() if person.broken}
    assert artifacts["sync-progress"] == 100
    await check_contact(scene)
    assert "accounts edit chandra" in report.read_text()

    # A page that cannot be written costs the run nothing.
    scene.lastword.environment["LASTWORD_REPORT"] = str(scene.directory / "missing" / "report.html")
    changed = "alice"
    scene.site.change_post(changed, "Something new")
    second = await run(scene.lastword)
    names = Counter(state.name for state in (await synced(api, second, WELL + 1)).values())
    # The refused password waits for its owner, the gone feed for tomorrow.
    assert names == {"Published": 1, "Unchanged": WELL - 1, "Failed": 1}
    await check_contact(scene)

    third = await run(scene.lastword, "--which", "failed")
    rerun = await synced(api, third, BROKEN)
    assert rerun.keys() == failures.keys()
    assert {state.name for state in rerun.values()} == {"Failed"}

    runs = query(scene.lastword, "SELECT due, published, unchanged, failed, state FROM run")
    assert runs == [
        (CROWD, WELL, 0, BROKEN, "Degraded"),
        (WELL + 1, 1, WELL - 1, 1, "Degraded"),
        (BROKEN, 0, 0, BROKEN, "Failed"),
    ]
    told = "SELECT name, tries FROM owner_notice JOIN account ON id = account_id WHERE told_at > 0"
    refused = [(name, 0) for name, person in crowd.items() if person.wrong_password]
    assert query(scene.lastword, told) == refused
    # A repeated Unchanged leaves no row; a first one does.
    assert query(scene.lastword, "SELECT run_id, count(*) FROM ledger GROUP BY run_id") == [
        (1, CROWD),
        (2, WELL + 1),
        (3, BROKEN),
    ]


async def test_a_dry_run_publishes_and_records_nothing(scene: Stage, api: PrefectAPI) -> None:
    result = await run(scene.lastword, "--dry-run", "alice", "emeka")
    task_runs = await synced(api, result, 2)
    assert {name: state.name for name, state in task_runs.items()} == {
        "alice": "Skipped",
        "emeka": "Skipped",
    }
    assert "dry run" in task_runs["alice"].message
    assert (result["due"], result["counts"]) == (
        2,
        {"Published": 0, "Unchanged": 0, "Skipped": 2, "Deferred": 0, "Failed": 0},
    )
    assert query(scene.lastword, "SELECT count(*) FROM run") == [(0,)]
    async with scene.contact() as contact:
        seen = await contact.seen(["alice"], deadline=2)
    assert seen["alice"].status is None


async def test_force_publishes_what_is_unchanged(scene: Stage) -> None:
    await run(scene.lastword, "alice")
    assert (await run(scene.lastword, "alice"))["counts"] == counts(Unchanged=1)
    assert (await run(scene.lastword, "alice", "--force"))["counts"] == counts(Published=1)


def counts(**more: int) -> dict[str, int]:
    kinds = ("Published", "Unchanged", "Skipped", "Deferred", "Failed")
    return dict.fromkeys(kinds, 0) | more


async def test_unknown_and_paused_names_are_told_before_anything_runs(scene: Stage) -> None:
    said = await scene.lastword.ask("run", "alice", "nobody")
    assert said.code == 2
    assert said.errors.startswith("lastword: no account is named nobody")
    await scene.lastword("accounts", "pause", "alice")
    said = await scene.lastword.ask("run", "alice")
    assert (said.code, "resume" in said.errors) == (2, True)
    assert query(scene.lastword, "SELECT count(*) FROM run") == [(0,)]


async def test_killed_in_the_middle_the_next_run_puts_everything_right(api_url: str) -> None:
    # One login at a time, so that there is a middle.
    settings = {
        "PREFECT_API_URL": api_url,
        "LASTWORD_LOGINS": "1",
        "LASTWORD_HTTP_DEADLINE": "1",
        "LASTWORD_RETRY_SECONDS": "0.1",
    }
    async with stage(people(CROWD), settings) as scene:
        process = await scene.lastword.start("run")
        with anyio.fail_after(60):
            while not query(scene.lastword, "SELECT 1 FROM ledger WHERE kind = 'Published'"):
                await anyio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        done = query(scene.lastword, "SELECT count(*) FROM ledger WHERE kind = 'Published'")[0][0]
        assert done != WELL, "the run was over before it was killed"

        result = await run(scene.lastword)
        assert result["state"] == "Degraded"
        await check_contact(scene)
        assert query(scene.lastword, "SELECT state FROM run ORDER BY id") == [
            ("Crashed",),
            ("Degraded",),
        ]
        assert query(scene.lastword, "PRAGMA integrity_check") == [("ok",)]


async def test_only_one_run_at_a_time(api_url: str) -> None:
    settings = {"PREFECT_API_URL": api_url, "LASTWORD_HTTP_DEADLINE": "30"}
    async with stage(people(CROWD), settings) as scene:
        # The host that never answers keeps the first run under way.
        first = await scene.lastword.start("run")
        with anyio.fail_after(60):
            while not query(scene.lastword, "SELECT 1 FROM ledger"):
                await anyio.sleep(0.01)
        second = await run(scene.lastword)
        assert (second["state"], second["code"]) == ("Cancelled", 1)
        assert "another run is under way since" in str(second["message"])
        first.kill()
        await first.communicate()


async def test_a_missing_key_and_a_newer_database_are_told(scene: Stage) -> None:
    data = Path(scene.lastword.data_dir)
    key = (data / "key").rename(data / "elsewhere")
    said = await scene.lastword.ask("run")
    assert (said.code, said.errors.count("\n")) == (2, 1)
    assert "no key" in said.errors
    key.rename(data / "key")
    with closing(sqlite3.connect(data / "lastword.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    said = await scene.lastword.ask("run")
    assert (said.code, said.errors.count("\n")) == (2, 1)
    assert "newer" in said.errors or "does not know" in said.errors
