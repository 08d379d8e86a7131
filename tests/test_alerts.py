"""`lastword alerts` on a real Prefect server, and a webhook on loopback that is told."""

import io
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from anyio import to_thread
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL

from demo.receiver import Receiver, receiving
from deployments.alerts.channel import ChannelTrouble, block_of
from deployments.alerts.install import Alerts
from deployments.alerts.rules import PREFIX, names
from tests.fixtures_cli import Ended
from tests.fixtures_cli import Lastword as Here

Lastword = Callable[..., Awaitable[Ended]]

pytestmark = pytest.mark.xdist_group("prefect")

TEAMS = (
    "https://prod-1.eu.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig=SECRET"
)
DEGRADED = f"{PREFIX}run degraded"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def api(prefect_server: None) -> str:
    """The address of a server that answers."""
    del prefect_server
    return str(PREFECT_API_URL.value())


@pytest.fixture
def ask(lastword: Here, monkeypatch: pytest.MonkeyPatch) -> Lastword:
    """The command in this process, in a thread: it has an event loop of its own."""
    # It sets its environment, as the process that it mostly is: only for this test.
    monkeypatch.setattr(os, "environ", os.environ.copy())

    async def ask(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        return await to_thread.run_sync(lambda: lastword("alerts", *arguments))

    return ask


@pytest.fixture
async def alerts(api: str, ask: Lastword, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Alerts]:
    """The alerts on the server that the command finds, which has none of them afterwards."""
    del ask
    monkeypatch.setenv("PREFECT_API_URL", api)
    async with Alerts.at(api) as alerts:
        yield alerts
        await alerts.remove()


async def listed(ask: Lastword) -> dict[str, dict[str, Any]]:
    found = json.loads((await ask("list", "--json")).out)
    assert len(found) == len({one["name"] for one in found})
    return {one["name"]: one for one in found}


async def test_installed_twice_tested_silenced_and_removed(
    alerts: Alerts, ask: Lastword, receiver: Receiver
) -> None:
    nowhere = await ask("install")
    assert (nowhere.code, nowhere.err.count("\n")) == (2, 1)
    assert "give --block, --url-stdin or LASTWORD_ALERTS_URL" in nowhere.err

    said = await ask("install", "--url-stdin", stdin=receiver.webhook + "\n")
    assert said.err.startswith("Installed; alerts go to custom-webhook/lastword-alerts")
    assert receiver.webhook not in said.err
    first = await listed(ask)
    assert first.keys() == set(names()) - {DEGRADED}
    assert {one["block"] for one in first.values()} == {"custom-webhook/lastword-alerts", None}

    said = await ask("test")
    assert "Delivered to custom-webhook/lastword-alerts in " in said.err
    assert [one.subject for one in receiver.messages] == [
        "Last Word: A test: chat.example is out of action, 412 accounts"
    ]
    assert "What to do: nothing. Alerts reach you." in receiver.messages[0].body

    late = f"{PREFIX}runs late"
    await alerts.pause(late)
    # Without a word about where: where they went before.
    assert not (await ask("install", "--degraded")).code
    second = await listed(ask)
    assert second.keys() == set(names())
    assert [name for name, one in second.items() if not one["is_enabled"]] == [late]
    assert not (await ask("install")).code
    assert (await listed(ask)).keys() == first.keys()

    assert "Would remove" in (await ask("remove", "--dry-run")).err
    assert (await ask("remove")).code == 2
    assert not (await ask("remove", "--yes")).code
    assert await listed(ask) == {}
    said = await ask("test")
    assert (said.code, said.err) == (
        1,
        "lastword: no alerts are installed: `lastword alerts install` first\n",
    )


async def test_a_block_by_its_name_and_one_that_cannot_deliver(
    alerts: Alerts, ask: Lastword
) -> None:
    await CustomWebhookNotificationBlock(name="x", url="http://127.0.0.1:9/").save("ops", True)
    await Secret(value="x").save("not-a-channel", overwrite=True)
    for wrong, words in {
        "ops": "write TYPE/NAME, such as slack-webhook/ops",
        "slack-webhook/nobody": "Prefect has no block slack-webhook/nobody",
        "secret/not-a-channel": "secret/not-a-channel sends no notifications",
    }.items():
        said = await ask("install", "--block", wrong)
        assert (said.code, words in said.err) == (2, True), said.err
    assert not (await ask("install", "--block", "custom-webhook/ops")).code
    with pytest.raises(ChannelTrouble, match="was not delivered within 2 s: is the address"):
        await alerts.test(deadline=2)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.0.2.1/hook/SECRET", "it must begin with https://"),
        ("hooks.slack.com/SECRET", "it must begin with https://"),
        ("https://discord.com/api/SECRET", "discord.com does not give such an address"),
    ],
)
def test_a_url_that_alerts_cannot_go_to(url: str, words: str) -> None:
    with pytest.raises(ChannelTrouble, match=words) as raised:
        block_of(url)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T1/B1/SECRET", "slack-webhook"),
        ("https://discord.com/api/webhooks/123/SECRET-1", "discord-webhook"),
        (TEAMS, "ms-teams-webhook"),
        ("https://ntfy.example/SECRET", "custom-webhook"),
    ],
)
def test_a_url_tells_which_block_it_is_for(url: str, kind: str) -> None:
    block = block_of(url)
    assert block.get_block_type_slug() == kind
    assert "SECRET" not in repr(block)


async def test_no_server(ask: Lastword, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    said = await ask("list")
    assert said.code == 2
    assert "start `lastword up` first" in said.err
