"""Whose posts they are, and on which server: handle → DID → DID document → data server (PDS).

https://atproto.com/specs/handle and https://atproto.com/specs/did
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import AwareDatetime, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.sources.bluesky_names import is_did, is_handle
from lastword.sources.bluesky_xrpc import host_of, object_of, xrpc_url
from lastword.sources.hosts import parse_url
from lastword.sources.http import GuardedClient
from models.types import now

_LONGEST = 300
_MOST_ENTRIES = 100
_SERVICE = "AtprotoPersonalDataServer"


class BlueskySettings(BaseSettings):
    """Where identities are looked up, by environment variables named `LASTWORD_BLUESKY_…`."""

    model_config = SettingsConfigDict(
        env_prefix="LASTWORD_BLUESKY_", env_ignore_empty=True, extra="ignore"
    )

    resolver: str = "https://public.api.bsky.app"
    """Says which DID a handle stands for (`com.atproto.identity.resolveHandle`)."""
    plc: str = "https://plc.directory"
    """Has the documents of did:plc."""

    @field_validator("resolver", "plc")
    @classmethod
    def _origin(cls, text: str) -> str:
        return origin(text)


@dataclass(frozen=True, slots=True)
class Identity:
    """An account's identity.

    Attributes:
        did: it stays, whatever else changes.
        pds: origin of the server that has its posts.
        name: what links call it: the handle that was asked for, where it is still its own;
            otherwise the DID.
        seen: when its document was read (aware).
    """

    did: str
    pds: str
    name: str
    seen: AwareDatetime


class Directory:
    """Finds identities.

    Args:
        http: the guarded client.
        settings: whom it asks.
    """

    def __init__(self, http: GuardedClient, settings: BlueskySettings) -> None:
        self._http = http
        self._settings = settings

    async def find(self, name: str) -> Identity:
        """Return the identity behind a handle or DID in its normal form.

        Raises:
            Rejected: there is none.
            Gone, Deferred, Transient: as for `read`, and where the handle cannot be looked up.
        """
        did = name if is_did(name) else await self._did_of(name)
        identity = await self.read(did, name)
        if identity.name != name:
            # Anybody can point a name of theirs at somebody else's account.
            raise Rejected(
                "the handle leads to an account that does not call itself so:"
                " set the handle anew in Bluesky, or give the account's DID"
            )
        return identity

    async def read(self, did: str, name: str) -> Identity:
        """Return the identity that a DID's document describes.

        Args:
            did: in its normal form.
            name: the handle that was asked for, or the DID.

        Raises:
            Gone: the DID was given up for ever.
            Rejected: it has no document, or one without a data server.
            Deferred, Transient: it cannot be looked up now.
        """
        url = f"{self._base_of(did)}/{'.well-known/did.json' if _is_web(did) else did}"
        host = host_of(url)
        missing = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        try:
            reply = await self._http.get(url, {"Accept": "application/json"}, expected=missing)
        except Rejected as error:
            if _is_web(did):
                raise
            raise Deferred(f"DIDs cannot be looked up: {error}") from error
        if reply.status == HTTPStatus.GONE:
            raise Gone(f"{host} says that the account's DID was given up: remove the account")
        if reply.status == HTTPStatus.NOT_FOUND:
            raise Rejected(f"{host} knows no such DID: check the address")
        document = await object_of(reply)
        if document.get("id") != did:
            raise Transient(f"{host} answers with something other than the account's DID document")
        pds = _pds_of(document)
        if pds is None:
            raise Rejected(
                "the account's DID document names no proper data server (PDS):"
                " ask those who run the account's server"
            )
        return Identity(did, pds, name if _handle_of(document) == name else did, now())

    def _base_of(self, did: str) -> str:
        if not _is_web(did):
            return self._settings.plc
        host = did.removeprefix("did:web:").replace("%3A", ":")
        return f"{'http' if host.partition(':')[0] == 'localhost' else 'https'}://{host}"

    async def _did_of(self, handle: str) -> str:
        """Return the DID of a handle, from the resolver or else from the handle's own host.

        The resolver comes first because it also knows what stands in the DNS, the common way.
        """
        trouble: LastWordError | None = None
        did = None
        try:
            did = await self._resolve(handle)
        except (Transient, Deferred) as error:
            trouble = error
        except LastWordError as error:  # the operator's matter, no fault of the account
            trouble = Deferred(f"handles cannot be looked up: {error}")
        did = did or await self._well_known(handle)
        if did:
            return did
        raise trouble or Rejected("there is no such Bluesky handle: check the address")

    async def _resolve(self, handle: str) -> str | None:
        """Return the DID that the resolver knows, or None where it knows none."""
        method = "com.atproto.identity.resolveHandle"
        url = xrpc_url(self._settings.resolver, method, handle=handle)
        reply = await self._http.get(url, expected={HTTPStatus.BAD_REQUEST})
        answer = await object_of(reply)
        did = answer.get("did")
        if reply.status == HTTPStatus.BAD_REQUEST:
            return None
        if not isinstance(did, str):
            raise Transient(f"{host_of(url)} does not answer in the way of Bluesky now")
        return did if is_did(did) else None

    async def _well_known(self, handle: str) -> str | None:
        """Return the DID that the handle's host claims, or None; its errors would name the user."""
        try:
            reply = await self._http.get(f"https://{handle}/.well-known/atproto-did")
        except LastWordError:
            return None
        did = reply.body[:_LONGEST].decode("ascii", "replace").strip()
        return did if is_did(did) else None


def origin(text: str) -> str:
    """Return the origin (scheme, host and port) that a URL consists of.

    Raises:
        ValueError: it is no web address, or has more to it; the message says so.
    """
    url = parse_url(text)
    if len(text) > _LONGEST or url.path != "/" or url.query or url.fragment:
        raise ValueError("a server's address is https:// and a host, and nothing more")
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _is_web(did: str) -> bool:
    return did.startswith("did:web:")


def _handle_of(document: dict[str, Any]) -> str | None:
    """Return the first handle that the document claims: only that one counts."""
    claimed = (one for one in _entries(document, "alsoKnownAs") if isinstance(one, str))
    handles = (one[5:].lower() for one in claimed if one.startswith("at://"))
    return next(filter(is_handle, handles), None)


def _pds_of(document: dict[str, Any]) -> str | None:
    """Return the origin of the first data server that the document names."""
    for service in _entries(document, "service"):
        if isinstance(service, dict) and _is_pds(service):
            try:
                return origin(str(service.get("serviceEndpoint")))
            except ValueError:
                return None
    return None


def _is_pds(service: dict[str, Any]) -> bool:
    return str(service.get("id")).endswith("#atproto_pds") and service.get("type") == _SERVICE


def _entries(document: dict[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    return found[:_MOST_ENTRIES] if isinstance(found, list) else []
