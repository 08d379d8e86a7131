"""Mastodon, and the many servers that offer its API or part of it."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from lastword.eligibility import Choice, Rules
from lastword.secret_files import FileSettings
from lastword.sources import mastodon_address
from lastword.sources.base import Source
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon_address import place_of
from lastword.sources.mastodon_api import Api
from lastword.sources.mastodon_batch import Together
from lastword.sources.mastodon_feed import PublicFeed
from lastword.sources.mastodon_visit import Visit
from models import Account


class MastodonSettings(FileSettings):
    """What only this source needs."""

    model_config = SettingsConfigDict(
        env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    FROM_FILES = frozenset({"mastodon_tokens"})

    mastodon_tokens: dict[str, SecretStr] = Field(default_factory=dict)
    """Server → access token with the scope `read`, as JSON object."""
    mastodon_batch: bool = True
    """Whether servers are asked for many accounts at once what has changed."""

    @field_validator("mastodon_tokens")
    @classmethod
    def _by_server(cls, tokens: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return {_server(name): _token(name, token) for name, token in tokens.items()}


def _server(name: str) -> str:
    """Return a server's host as URLs have it, with its port where one is given."""
    try:
        return place_of(f"name@{name.strip()}").server
    except ValueError:
        raise ValueError(f"{name[:80]!r} is not the name of a server") from None


def _token(name: str, token: SecretStr) -> SecretStr:
    text = token.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"what {name[:80]!r} has is no access token: those are letters and digits")
    return SecretStr(text)


class Mastodon(Source):
    """Accounts of the fediverse. What is kept of each: `lastword.sources.mastodon_memory`."""

    judged = frozenset({"why", "etag", "looked_at"})

    def __init__(self, http: GuardedClient) -> None:
        super().__init__(http)
        settings = MastodonSettings()
        self._api = Api(http, settings.mastodon_tokens)
        self._feed = PublicFeed(http)
        self._together = Together(self._api) if settings.mastodon_batch else None

    @staticmethod
    def check(handle: str) -> str:
        """Return `user@server`, also where a profile's address was given. See `Source.check`.

        Profiles at plain http, which only the operator can allow, keep their address.
        """
        return mastodon_address.place_of(handle).handle

    @staticmethod
    def recognise(pasted: str) -> str | None:
        """Return the handle that is meant. See `Source.recognise`."""
        return mastodon_address.recognise(pasted)

    def expect(self, accounts: Sequence[Account]) -> None:
        """See `Source.expect`."""
        if self._together:
            self._together.expect(accounts)

    async def latest(self, account: Account, rules: Rules) -> Choice:
        """Return the newest eligible status. See `Source.latest`."""
        visit = Visit(account, rules, self._api, self._feed)
        profile = await self._together.profile(visit.memory) if self._together else None
        return replace(await visit.choice(profile), notice=visit.notice)
