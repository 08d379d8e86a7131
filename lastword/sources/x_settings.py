"""What only X needs to be told, and what X costs."""

from math import ceil
from typing import Literal

from pydantic import SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from lastword.secret_files import FileSettings
from lastword.sources.hosts import parse_url

TOGETHER = 100
"""Accounts in one request."""

# Dollars: https://docs.x.com/x-api/getting-started/pricing. What is read twice on a day (UTC)
# is paid for once.
_USER_READ = 0.010
_POST_READ = 0.005


class XSettings(FileSettings):
    """Environment variables `LASTWORD_X_…`."""

    model_config = SettingsConfigDict(
        env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    FROM_FILES = frozenset({"x_token"})

    x_token: SecretStr | None = None
    """The app's bearer token."""
    x_mode: Literal["users", "search"] = "users"
    """Whether the accounts are asked for, or new posts searched for."""
    x_word: Literal["tweet", "post"] = "tweet"
    """What requests call a post."""
    x_api: str = "https://api.x.com"
    """Where it is."""

    @field_validator("x_token")
    @classmethod
    def _empty_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not (text := token.get_secret_value().strip()):
            return None
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it is no bearer token: those are letters, digits and %")
        return SecretStr(text)

    @field_validator("x_api")
    @classmethod
    def _origin(cls, api: str) -> str:
        parse_url(api)
        return api.rstrip("/")

    def cost(self, accounts: int) -> str:
        """Return what so many accounts cost, for people."""
        if self.x_mode == "search":
            per_post = f"${accounts * _POST_READ:,.2f} a day for one new post of each"
            known = f"{_number(accounts, 'account')} by search: {per_post}"
            return f"{known}; new accounts are looked up once"
        daily = accounts * (_USER_READ + _POST_READ)
        requests = _number(ceil(accounts / TOGETHER), "request")
        return (
            f"{_number(accounts, 'account')}: from ${daily:,.2f} a day, {requests} a run;"
            " LASTWORD_X_MODE=search pays for new posts only"
        )


def _number(number: int, of: str) -> str:
    return f"{number:,} {of}" if number == 1 else f"{number:,} {of}s"
