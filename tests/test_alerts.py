"""`lastword alerts` on a real Prefect server, and a webhook on loopback that is told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL

from demo.command import LastWord
from demo.receiver import Receiver, receiving
from deployments.alerts.channel import ChannelTrouble, block_of
from deployments.alerts.install import Alerts
from deployments.alerts.rules import PREFIX, names

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
async def lastword(prefect_server: None, tmp_path: Path) -> AsyncIterator[LastWord]:
    del prefect_server
    api = str(PREFECT_API_URL.value())
    yield LastWord(tmp_path, {"PREFECT_API_URL": api})
    async with Alerts.at(api) as alerts:
        await alerts.remove()


async def listed(lastword: LastWord) -> dict[str, dict[str, object]]:
    found = json.loads(await lastword("alerts", "list", "--json"))
    assert len(found) == len({one["name"] for one in found})
    return {one["name"]: one for one in found}


async def test_installed_twice_tested_silenced_and_removed(
    lastword: LastWord, receiver: Receiver
) -> None:
    nowhere = await lastword.ask("alerts", "install")
    assert (nowhere.code, nowhere.errors.count("\n")) == (2, 1)
    assert "give --block, --url-stdin or LASTWORD_ALERTS_URL" in nowhere.errors

    said = await lastword.ask("alerts", "install", "--url-stdin", stdin=receiver.webhook + "\n")
    assert said.errors.startswith("Installed; alerts go to custom-webhook/lastword-alerts")
    assert receiver.webhook not in said.errors
    first = await listed(lastword)
    assert first.keys() == set(names()) - {DEGRADED}
    assert {one["block"] for one in first.values()} == {"custom-webhook/lastword-alerts", None}

    said = await lastword.ask("alerts", "test")
    assert "Delivered to custom-webhook/lastword-alerts in " in said.errors
    assert [one.subject for one in receiver.messages] == [
        "Last Word: A test: chat.example is out of action, 412 accounts"
    ]
    assert "What to do: nothing. Alerts reach you." in receiver.messages[0].body

    late = f"{PREFIX}runs late"
    async with Alerts.at(lastword.environment["PREFECT_API_URL"]) as alerts:
        await alerts.pause(late)
    # Without a word about where: where they went before.
    await lastword("alerts", "install", "--degraded")
    second = await listed(lastword)
    assert second.keys() == set(names())
    assert [name for name, one in second.items() if not one["is_enabled"]] == [late]
    await lastword("alerts", "install")
    assert (await listed(lastword)).keys() == first.keys()

    assert "Would remove" in (await lastword.ask("alerts", "remove", "--dry-run")).errors
    assert (await lastword.ask("alerts", "remove")).code == 2
    await lastword("alerts", "remove", "--yes")
    assert await listed(lastword) == {}
    said = await lastword.ask("alerts", "test")
    assert (said.code, said.errors) == (
        1,
        "lastword: no alerts are installed: `lastword alerts install` first\n",
    )


async def test_a_block_by_its_name_and_one_that_cannot_deliver(lastword: LastWord) -> None:
    await CustomWebhookNotificationBlock(name="x", url="http://127.0.0.1:9/").save("ops", True)
    await Secret(value="x").save("not-a-channel", overwrite=True)
    for wrong, words in {
        "ops": "write TYPE/NAME, such as slack-webhook/ops",
        "slack-webhook/nobody": "Prefect has no block slack-webhook/nobody",
        "secret/not-a-channel": "secret/not-a-channel sends no notifications",
    }.items():
        said = await lastword.ask("alerts", "install", "--block", wrong)
        assert (said.code, words in said.errors) == (2, True), said.errors
    await lastword("alerts", "install", "--block", "custom-webhook/ops")
    async with Alerts.at(lastword.environment["PREFECT_API_URL"]) as alerts:
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


async def test_no_server(tmp_path: Path) -> None:
    said = await LastWord(tmp_path, {}).ask("alerts", "list")
    assert said.code == 2
    assert "start `lastword up` first" in said.errors
