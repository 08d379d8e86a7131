"""Where alerts go: a notification block of Prefect's, found by its name or made of a URL."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    DiscordWebhook,
    MicrosoftTeamsWebhook,
    SlackWebhook,
)
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr, ValidationError

from lastword.ping import is_safe

BLOCK = "lastword-alerts"
"""Name of the block that is made of a URL."""

_DISCORD = re.compile(r"/api/webhooks/(\d+)/([\w-]+)/?")
_TEAMS = (".logic.azure.com", ".api.powerplatform.com")


class ChannelTrouble(Exception):
    """Alerts cannot go there; the message says what to do, and no secret."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A notification block: `slack-webhook/ops`, and its document's id."""

    name: str
    id: UUID


async def find(client: PrefectClient, name: str) -> Channel:
    """Return a block by type and name, such as `slack-webhook/ops`.

    Raises:
        ChannelTrouble: there is none, or it sends no notifications.
    """
    kind, _, block = name.partition("/")
    if not kind or not block:
        raise ChannelTrouble(f"{name!r} names no block: write TYPE/NAME, such as slack-webhook/ops")
    try:
        found = await client.read_block_document_by_name(block, kind, include_secrets=False)
    except ObjectNotFound:
        raise ChannelTrouble(
            f"Prefect has no block {name}: make it in its UI, under Blocks, or give a URL instead"
        ) from None
    schema = found.block_schema
    if schema is None or "notify" not in schema.capabilities:
        raise ChannelTrouble(f"{name} sends no notifications: take a block that does")
    return Channel(name, found.id)


async def make(client: PrefectClient, url: SecretStr) -> Channel:
    """Make the block for a URL that somebody gave, or change it to that; return it.

    Slack, Discord and Microsoft Teams are known by their URLs; any other gets a POST with JSON:
    subject, body, and both as text.

    Raises:
        ChannelTrouble: it is no URL that alerts can go to.
    """
    block = block_of(url.get_secret_value().strip())
    # A block's type cannot be changed: one of another type, from before, stays unused.
    await block.save(BLOCK, overwrite=True, client=client)
    return await find(client, f"{type(block).get_block_type_slug()}/{BLOCK}")


async def of_id(client: PrefectClient, block: UUID) -> Channel | None:
    """Return the block with this document id, or None where it was deleted."""
    try:
        found = await client.read_block_document(block, include_secrets=False)
    except ObjectNotFound:
        return None
    slug = found.block_type.slug if found.block_type else "?"
    return Channel(f"{slug}/{found.name}", found.id)


def block_of(url: str) -> Block:
    """Return the block for a URL, not saved.

    Raises:
        ChannelTrouble: it is none that alerts can go to.
    """
    if not is_safe(url):
        raise ChannelTrouble(
            "that is no address that alerts can go to: it must begin with https://"
        )
    host = urlsplit(url).hostname or ""
    try:
        if host == "hooks.slack.com":
            return SlackWebhook(url=SecretStr(url))
        if host.endswith(_TEAMS):
            return MicrosoftTeamsWebhook(url=SecretStr(url))
        if host in {"discord.com", "discordapp.com"}:
            return _discord(url)
        return CustomWebhookNotificationBlock(
            name="Last Word",
            # Beside it the address would stand in the open.
            url="{{url}}",
            secrets={"url": url},
            json_data={
                "subject": "{{subject}}",
                "body": "{{body}}",
                "text": "{{subject}}\n{{body}}",
            },
        )
    except (ValidationError, ValueError):
        raise ChannelTrouble(
            f"{host} does not give such an address: copy it once more from there"
        ) from None


def _discord(url: str) -> DiscordWebhook:
    match = _DISCORD.fullmatch(urlsplit(url).path)
    if not match:
        raise ValueError(url)
    return DiscordWebhook(
        webhook_id=SecretStr(match[1]), webhook_token=SecretStr(match[2]), botname="Last Word"
    )
