"""Asking a server with Mastodon's API.

https://docs.joinmastodon.org/methods/accounts/
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from lastword.errors import Gone, LastWordError, Rejected, Transient
from lastword.sources.allowance import Allowance
from lastword.sources.http import GuardedClient, Reply
from lastword.sources.items import read_apart
from lastword.sources.mastodon_account import Profile, profile_of
from lastword.sources.mastodon_address import Place
from lastword.sources.mastodon_webfinger import home_of

log = logging.getLogger(__name__)

# Of an address without a token, and of each token: config/initializers/rack_attack.rb.
_ALLOWANCE = Allowance(requests=300, seconds=300)

PAGE = 40
"""Statuses asked for at once: the most that Mastodon gives."""

# No since_id: Mastodon allows a third as many requests with it as without.
_NEWEST = f"limit={PAGE}&exclude_replies=true&exclude_reblogs=true"
# Where Mastodon and Pixelfed send those without a login instead of refusing.
_LOGIN_PAGE = re.compile(r"(?!/api/).*/(?:login|sign_in)/?")


class Closed(Exception):
    """The server answers this only to those who show a token."""


class Api:
    """Mastodon's API, as far as it is needed, on any server.

    Args:
        http: the guarded client.
        tokens: server → access token.
    """

    def __init__(self, http: GuardedClient, tokens: Mapping[str, SecretStr]) -> None:
        self._http = http
        self._tokens = tokens
        self._refused: set[str] = set()

    def has_token(self, server: str) -> bool:
        """Tell whether a server may show us more than it shows to everyone."""
        return server in self._tokens

    def refuses_token(self, server: str) -> bool:
        """Tell whether the server has refused its token in this run."""
        return server in self._refused

    async def account(self, place: Place, *, is_new: bool) -> Profile:
        """Return the account of that name.

        Args:
            place: where.
            is_new: whether the address was never right before, so that it may be wrong.

        Raises:
            Closed: the server demands a token.
            LastWordError: Gone where there is no such account; else as the server answers.
        """
        try:
            profile = await self._profile(place, f"lookup?acct={place.user}", is_new=is_new)
        except Gone as gone:
            # Servers without the lookup take a name where an id belongs, as Pleroma does.
            try:
                profile = await self._profile(place, place.user, is_new=is_new)
            except (Gone, Rejected, Closed):
                raise gone from None
            if not profile.name:
                raise gone from None
        if profile.is_copy:
            raise Rejected(
                f"{place.server} has only a copy of the account: give its address at its own server"
            )
        return profile

    async def _profile(self, place: Place, path: str, *, is_new: bool) -> Profile:
        found = await self._json(place.base, f"accounts/{path}", is_new=is_new)
        profile = profile_of(found, place.base)
        if profile is None:
            raise unlike_mastodon(place.base, is_new=is_new)
        # A name that is a number may be the id of somebody else.
        if profile.name not in ("", place.user.lower()):
            raise Gone(f"{place.server} answers with another account: check the address")
        return profile

    async def home_of(self, place: Place) -> Place | None:
        """Return where the account of that address lives, if not on the host in the address.

        Raises:
            LastWordError: as the host answers.
        """
        return await home_of(self._http, place)

    async def accounts(self, base: str, ids: Sequence[str]) -> dict[str, Profile]:
        """Return the accounts that the server still has, by their ids.

        Mastodon 4.3 and later.

        Args:
            base: the server's base URL.
            ids: at most 40.

        Raises:
            Closed: the server demands a token.
            LastWordError: as the server answers.
        """
        query = "&".join(f"id%5B%5D={one}" for one in ids)
        found = await self._json(base, f"accounts?{query}")
        if not isinstance(found, list):
            raise unlike_mastodon(base)
        profiles = (profile_of(one, base) for one in found)
        return {profile.id: profile for profile in profiles if profile}

    async def statuses(self, base: str, account: str, before: str | None = None) -> list[Any]:
        """Return an account's newest statuses, as the server has them.

        Args:
            base: the server's base URL.
            account: its id.
            before: a status's id: only older ones.

        Raises:
            Closed: the server demands a token.
            LastWordError: Gone where there is no such account; else as the server answers.
        """
        page = f"&max_id={before}" if before else ""
        found = await self._json(base, f"accounts/{account}/statuses?{_NEWEST}{page}")
        if not isinstance(found, list):
            raise unlike_mastodon(base)
        return found

    async def _json(self, base: str, path: str, *, is_new: bool = False) -> Any:  # noqa: ANN401
        url = f"{base}/api/v1/{path}"
        server = Place(base, "").server
        token = None if server in self._refused else self._tokens.get(server)
        reply = await self._get(url, token)
        if token and reply.status == 401:  # noqa: PLR2004
            # Whatever it protected is lost, but what everyone may read need not be.
            log.warning("%s refuses its token: set another in LASTWORD_MASTODON_TOKENS", server)
            self._refused.add(server)
            reply = await self._get(url, None)
        if reply.status in (401, 403) or _LOGIN_PAGE.fullmatch(urlsplit(reply.url).path):
            raise Closed
        try:
            return await read_apart(_parse, reply.body, url)
        except ValueError as error:
            raise unlike_mastodon(base, is_new=is_new) from error

    async def _get(self, url: str, token: SecretStr | None) -> Reply:
        return await self._http.get(
            url,
            {"Accept": "application/json"},
            token=token,
            expected=(401, 403),
            allowance=_ALLOWANCE,
        )


def _parse(body: bytes, _: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def unlike_mastodon(base: str, *, is_new: bool = False) -> LastWordError:
    """Return what it means that a server's answer is not one of Mastodon's."""
    server = Place(base, "").server
    if is_new:
        return Rejected(f"{server} does not answer as a Mastodon server: check the server's name")
    return Transient(f"{server} does not answer as a Mastodon server now")
