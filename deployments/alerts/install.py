"""Installing, testing, listing and removing the alerts on a Prefect server; all by name."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from deployments.alerts import channel
from deployments.alerts.channel import Channel, ChannelTrouble
from deployments.alerts.rules import FLOW, INSTALLED, PREFIX, TEST, Watch, automations, names
from lastword.cause_facts import event_name
from lastword.cause_words import sample

DELIVERY = 30.0
"""Seconds for the sample to be delivered."""
_EVERY = 0.3


@dataclass(frozen=True, slots=True)
class Installed:
    """An automation of ours on the server, and the block it sends by, if it sends."""

    name: str
    is_enabled: bool
    block: str | None


class Alerts:
    """The alerts on one Prefect server.

    Args:
        client: of that server.
    """

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def at(cls, api: str) -> AsyncIterator[Self]:
        """Give the alerts on the server at this API address."""
        with temporary_settings({PREFECT_API_URL: api}):
            async with get_client() as client:
                yield cls(client)

    async def install(self, watch: Watch, *, block: str | None, url: SecretStr | None) -> Channel:
        """Make the automations, or bring those that are there up to date; what is paused stays so.

        Args:
            watch: how patient they are.
            block: the notification block, `slack-webhook/ops`.
            url: instead of it, where alerts go; neither: where they went before.

        Raises:
            ChannelTrouble: alerts cannot go there.
        """
        if block:
            to = await channel.find(self._client, block)
        elif url:
            to = await channel.make(self._client, url)
        elif before := await self.goes_to():
            to = before
        else:
            raise ChannelTrouble("nobody said where alerts go: give a block or a URL")
        wanted = {one.name: one for one in automations(to.id, watch)}
        for name in names():
            there = await self._client.read_automations_by_name(name)
            await self._put(wanted.get(name), there)
        flow_id = await self._client.create_flow_from_name(FLOW)
        flow = {
            "prefect.resource.id": f"prefect.flow.{flow_id}",
            "prefect.resource.role": "flow",
            "prefect.resource.name": FLOW,
        }
        resource = Resource({"prefect.resource.id": "lastword.alerts"})
        related = [RelatedResource(flow)]
        await self._emit(Event(event=INSTALLED, resource=resource, related=related))
        return to

    async def goes_to(self) -> Channel | None:
        """Return where the alerts go that are installed; None where there are none."""
        for one in await self._client.read_automations_by_name(TEST):
            if (block := _block(one)) and (found := await channel.of_id(self._client, block)):
                return found
        return None

    async def installed(self) -> list[Installed]:
        """Return our automations on the server, by name."""
        found = [one for one in await self._all() if one.name.startswith(PREFIX)]
        blocks = {
            block: await channel.of_id(self._client, block)
            for one in found
            if (block := _block(one))
        }
        return [Installed(one.name, one.enabled, _shown(one, blocks)) for one in found]

    async def pause(self, name: str) -> None:
        """Pause an alert of this name, as people do in the UI."""
        for one in await self._client.read_automations_by_name(name):
            await self._client.pause_automation(one.id)

    async def remove(self) -> int:
        """Remove our automations, not the block; return how many there were."""
        ours = [one for one in await self._all() if one.name in names()]
        for one in ours:
            await self._client.delete_automation(one.id)
        return len(ours)

    async def test(self, deadline: float = DELIVERY) -> float:
        """Send the sample the way that all alerts go; return the seconds until it was delivered.

        Args:
            deadline: seconds to wait.

        Raises:
            ChannelTrouble: it was not; the message says why.
        """
        there = await self._client.read_automations_by_name(TEST)
        if not there:
            raise ChannelTrouble("no alerts are installed: `lastword alerts install` first")
        if not there[0].enabled:
            raise ChannelTrouble(
                f"“{TEST}” is paused: resume it in Prefect's UI, under Automations"
            )
        news, began = sample(), datetime.now(UTC)
        await self._emit(
            Event(
                event=event_name(news.kind, news.change),
                resource=Resource({"prefect.resource.id": f"lastword.cause.{news.key}"}),
                payload={"subject": f"{PREFIX}{news.subject}", "body": news.body},
            )
        )
        try:
            async with asyncio.timeout(deadline):
                # Another process acts: nothing can be awaited but its event.
                while (said := await self._acted(there[0].id, began)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(_EVERY)
        except TimeoutError:
            raise ChannelTrouble(
                f"the sample was not delivered within {deadline:g} s: is the address right, and can"
                " Prefect's server reach it? Its log says more"
            ) from None
        if said:
            raise ChannelTrouble(f"the sample was not delivered: {said}")
        return (datetime.now(UTC) - began).total_seconds()

    async def _emit(self, event: Event) -> None:
        answer = await self._client.request("POST", "/events", json=[event.model_dump(mode="json")])
        answer.raise_for_status()

    async def _put(self, wanted: AutomationCore | None, there: list[Automation]) -> None:
        """Have exactly one automation where there may be several; none if none is wanted."""
        keep = there[:1] if wanted else []
        for extra in there[len(keep) :]:
            await self._client.delete_automation(extra.id)
        if wanted is None:
            return
        if keep:
            wanted.enabled = keep[0].enabled
            await self._client.update_automation(keep[0].id, wanted)
        else:
            await self._client.create_automation(wanted)

    async def _acted(self, automation: UUID, began: datetime) -> str | None:
        """Return why an action failed since then; empty if it did not; None: not known yet."""
        wanted = {
            "occurred": {"since": began.isoformat()},
            "event": {
                "name": ["prefect.automation.action.executed", "prefect.automation.action.failed"]
            },
            "resource": {"id": [f"prefect.automation.{automation}"]},
        }
        answer = await self._client.request(
            "POST", "/events/filter", json={"filter": wanted, "limit": 1}
        )
        for event in answer.raise_for_status().json()["events"]:
            if event["event"].endswith("executed"):
                return ""
            said = event["payload"]
            return " ".join(f"{said.get('reason', '')} {said.get('notification_log', '')}".split())
        return None

    async def _all(self) -> list[Automation]:
        found = await self._client.read_automations()
        return sorted(found, key=lambda one: one.name)


def _shown(automation: Automation, blocks: Mapping[UUID, Channel | None]) -> str | None:
    block = _block(automation)
    if block is None:
        return None
    to = blocks[block]
    return to.name if to else "a block that was deleted"


def _block(automation: Automation) -> UUID | None:
    blocks = [
        one.block_document_id for one in automation.actions if isinstance(one, SendNotification)
    ]
    return blocks[0] if blocks else None
