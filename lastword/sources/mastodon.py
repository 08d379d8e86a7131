"""Mastodon, and the many servers that offer its API or part of it.

https://docs.joinmastodon.org/methods/accounts/ and https://docs.joinmastodon.org/entities/Status/
"""

import json
import re
from typing import Any

from lastword.errors import Gone, Rejected, Transient
from lastword.post import Post
from lastword.sources.hosts import parse_url, place
from lastword.sources.http import GuardedClient
from lastword.sources.items import newest, read_apart, when
from lastword.sources.mastodon_status import id_of, is_eligible, post_of
from models import Account

_EXAMPLE = "a Mastodon address is user@server, like mastodon:alice@social.example"
_HANDLE = re.compile(r"@?(?P<user>[\w.-]{1,100})@(?P<server>[^\s/@?#\\]{1,255})", re.ASCII)
_PROFILE = re.compile(
    r"(?P<scheme>https?)://(?P<server>[^\s/@?#\\]{1,255})/@(?P<user>[\w.-]{1,100})/?", re.ASCII
)
# No since_id: Mastodon allows a fifth as many requests with it as without.
_NEWEST = "limit=20&exclude_replies=true&exclude_reblogs=true"


class Mastodon:
    """An account on a server with Mastodon's API. Remembers the id that its name stands for."""

    def __init__(self, http: GuardedClient) -> None:
        self._http = http

    @staticmethod
    def check(handle: str) -> str:
        """Return `user@server`, also where a profile's address was given. See `Source.check`.

        Profiles at plain http, which only the operator can allow, keep their address.
        """
        base, user = _parts(handle)
        return f"{base}/@{user}" if base.startswith("http:") else f"{user}@{base[8:]}"

    async def latest(self, account: Account) -> Post | None:
        """Return the newest status that is neither reply nor boost. See `Source.latest`."""
        handle = account.source.partition(":")[2]
        try:
            base, user = _parts(handle)
        except ValueError as error:
            raise Rejected(str(error)) from None
        memory = account.source_memory
        known = str(memory["id"]) if memory.get("handle") == handle else None
        statuses = await self._by_id(base, known) if known else []
        if not statuses:
            # New to us, gone, or silent: the name says which, and may mean another id by now.
            found = await self._look_up(base, user, is_new=not known)
            account.source_memory = {"handle": handle, "id": found}
            statuses = await self._statuses(base, found)
        eligible = (status for status in statuses if is_eligible(status))
        return newest(
            ((when(status.get("created_at")), status) for status in eligible),
            lambda status: post_of(status, base),
        )

    async def _by_id(self, base: str, known: str) -> list[Any]:
        try:
            return await self._statuses(base, known)
        except Gone:
            return []

    async def _look_up(self, base: str, user: str, *, is_new: bool) -> str:
        url = f"{base}/api/v1/accounts/lookup?acct={user}"
        found = await self._json(url, is_new=is_new)
        known = id_of(found) if isinstance(found, dict) else None
        if known is None:
            raise _unlike_mastodon(url, is_new=is_new)
        if found.get("suspended") is True:
            server = place(parse_url(base))
            raise Gone(f"{server} has suspended the account: ask its moderators, or remove it")
        return known

    async def _statuses(self, base: str, known: str) -> list[Any]:
        url = f"{base}/api/v1/accounts/{known}/statuses?{_NEWEST}"
        statuses = await self._json(url, is_new=False)
        if not isinstance(statuses, list):
            raise _unlike_mastodon(url, is_new=False)
        return statuses

    async def _json(self, url: str, *, is_new: bool) -> Any:  # noqa: ANN401
        reply = await self._http.get(url, {"Accept": "application/json"})
        try:
            return await read_apart(_parse, reply.body, url)
        except ValueError as error:
            raise _unlike_mastodon(url, is_new=is_new) from error


def _parse(body: bytes, _: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unlike_mastodon(url: str, *, is_new: bool) -> Transient | Rejected:
    server = place(parse_url(url))
    if is_new:
        return Rejected(f"{server} does not answer as a Mastodon server: check the server's name")
    return Transient(f"{server} does not answer as a Mastodon server now")


def _parts(handle: str) -> tuple[str, str]:
    """Return the server's base URL, and the user."""
    match = _HANDLE.fullmatch(handle.strip()) or _PROFILE.fullmatch(handle.strip())
    if not match:
        raise ValueError(_EXAMPLE)
    scheme = match.groupdict().get("scheme") or "https"
    try:
        url = parse_url(f"{scheme}://{match['server']}")
    except ValueError as error:
        raise ValueError(f"{error}: {_EXAMPLE}") from None
    return f"{scheme}://{url.netloc.decode('ascii')}", match["user"]
