"""The guarded HTTP client: addresses come from users, answers from anyone, so neither is trusted.

Only public hosts over https; bounded in time, size and redirects; polite; no cookies.
"""

import asyncio
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.cookiejar import CookieJar
from importlib.metadata import version
from time import monotonic
from typing import Any, Self

import httpx
from httpx_secure import httpx_ssrf_protection
from pydantic import SecretStr

from lastword.breaker import Breaker
from lastword.errors import Rejected, Transient
from lastword.host_turns import Turns
from lastword.network import Network
from lastword.pace import Pace
from lastword.settings import Settings
from lastword.sources.allowance import Allowance, Meter
from lastword.sources.answers import asked_until, check_status, trouble
from lastword.sources.body import LIMIT, read_body
from lastword.sources.hosts import Hosts, parse_url, place
from lastword.sources.politeness import Politeness

REDIRECTS = 3
_LEAST = 1 / 20
"""The share of the deadline that must be left after a redirect, for whom it leads to."""
# Few, because httpcore looks at every kept connection, for each of them, at every request.
_KEPT_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer.

    Attributes:
        status: 2xx, 304 where the request was conditional, or one that was expected.
        headers: by names in any case.
        body: unpacked.
        url: where it was found in the end, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _Bearer(httpx.Auth):
    """Shows a token (RFC 6750), which is plain only in the request itself."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is sent beside our own headers."""

    headers: Mapping[str, str]
    bearer: _Bearer | None


class _NoCookies(CookieJar):
    """Keeps nothing: what one account's host says must not follow another account."""

    def extract_cookies(self, *_: object) -> None:
        pass


class GuardedClient:
    """Fetches what users point to. An async context manager, shared by all sources.

    Args:
        settings: for deadline, contact, allowed hosts and limits.
        context: decides which certificates are trusted.
        turns: see `Politeness`.
    """

    def __init__(
        self, settings: Settings, context: ssl.SSLContext, turns: Turns | None = None
    ) -> None:
        self._deadline = settings.http_deadline
        self._hosts = Hosts(settings.allow_hosts)
        self._breaker = Breaker(Network(settings.http_deadline / 2))
        self.pace = Pace()
        self._politeness = Politeness(
            concurrency=settings.host_concurrency,
            rate=settings.host_rate,
            patience=settings.http_deadline,
            turns=turns,
        )
        # Waiting here does not count against the deadline; waiting in httpx's pool would.
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._pooled = self._client(settings, context, _KEPT_CONNECTIONS)
        self._fresh = self._client(settings, context, 0)
        self._open = AsyncExitStack()

    def _client(self, settings: Settings, context: ssl.SSLContext, kept: int) -> httpx.AsyncClient:
        contact = f" (+{settings.contact})" if settings.contact else ""
        client = httpx.AsyncClient(
            verify=context,
            trust_env=False,
            timeout=None,  # noqa: S113  # one deadline spans the whole fetch instead
            limits=httpx.Limits(
                max_connections=settings.concurrency, max_keepalive_connections=kept
            ),
            cookies=_NoCookies(),
            headers={
                "User-Agent": f"LastWord/{version('lastword')}{contact}",
                "Accept-Encoding": "gzip",
            },
        )
        return httpx_ssrf_protection(
            client, check_globally_reachable=False, custom_validator=self._hosts.allows
        )

    async def __aenter__(self) -> Self:
        self._open.callback(self._hosts.close)
        await self._open.enter_async_context(self._pooled)
        await self._open.enter_async_context(self._fresh)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        token: SecretStr | None = None,
        expected: Collection[int] = (),
        allowance: Allowance | None = None,
        most: int = LIMIT,
    ) -> Reply:
        """Fetch a URL, following redirects.

        Waiting for the turn at a host does not count against the deadline.

        Args:
            url: where to, http or https.
            headers: sent beside our own, at every hop.
            token: a bearer token (RFC 6750), sent to the URL's own origin only, and no more once
                that has sent us elsewhere; unencrypted only where the operator allows plain http.
            expected: statuses that the caller wants to judge by itself: they raise nothing.
            allowance: what its host grants, until the host says otherwise; requests with
                different allowances are counted apart.
            most: bytes of the answer's body, packed and again unpacked.

        Raises:
            Gone: 404 or 410.
            Rejected: the address is private, unencrypted or wrong, or the answer too large.
            Deferred: the server asks us to come back later, allows no more, or is down.
            Transient: it did not answer in time, or not in a way that can be used.
            Systemic: nor does any of many other hosts.
        """
        try:
            target = parse_url(url)
        except ValueError as error:
            raise Rejected(f"the address cannot be fetched: {error}") from None
        left, origin = self._deadline, (target.scheme, target.netloc)
        for _ in range(REDIRECTS + 1):
            if (target.scheme, target.netloc) != origin:
                token = None
            sent = _Sent(headers or {}, _Bearer(token) if token else None)
            where = place(target)
            async with (
                self._breaker.watching(where),
                self._politeness.turn(
                    where, allowance, partial(self._breaker.check, where)
                ) as meter,
                self._slots,
            ):
                began = monotonic()
                with self.pace.timing(where):
                    answer = await self._hop_within(left, target, sent, expected, meter, most)
                left -= monotonic() - began
                if not isinstance(answer, Reply) and left < _LEAST * self._deadline:
                    # Whoever comes next could not answer in time, and would be blamed for it.
                    raise self._late(target)
            if isinstance(answer, Reply):
                return answer
            target = answer
        raise Rejected(f"{place(target)} redirects on and on: give the final address")

    async def _hop_within(
        self,
        seconds: float,
        url: httpx.URL,
        sent: "_Sent",
        expected: Collection[int],
        meter: Meter,
        most: int,
    ) -> Reply | httpx.URL:
        try:
            async with asyncio.timeout(seconds):
                return await self._hop(url, sent, expected, meter, most)
        except TimeoutError as error:
            raise self._late(url) from error
        except httpx.HTTPError as error:
            raise trouble(error, url) from error

    def _late(self, url: httpx.URL) -> Transient:
        return Transient(f"{place(url)} did not answer within {self._deadline:g} s")

    async def _hop(
        self,
        url: httpx.URL,
        sent: "_Sent",
        expected: Collection[int],
        meter: Meter,
        most: int,
    ) -> Reply | httpx.URL:
        """Return the answer, or where it redirects to."""
        await self._hosts.check(url)
        response = await self._send(url, sent)
        meter.learn(response.headers)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:  # expected or not
            meter.close(asked_until(response.headers))
        try:
            if response.has_redirect_location:
                try:
                    return parse_url(str(url.join(response.headers["location"])))
                except (ValueError, httpx.InvalidURL):
                    raise Rejected(
                        f"{place(url)} redirects to no web address: check the address"
                    ) from None
            if response.status_code not in expected:
                check_status(response)
            body = await read_body(response, most)
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, body, str(url))

    async def _send(self, url: httpx.URL, sent: "_Sent") -> httpx.Response:
        """Ask, once more where a kept connection turned out to have been closed meanwhile.

        Many small servers close them without saying so; a GET is safe to repeat (RFC 9110, 9.2.2).
        """
        connected = False

        async def trace(event: str, _: Any) -> None:  # noqa: ANN401
            nonlocal connected
            connected = connected or event == "connection.connect_tcp.started"

        request = self._pooled.build_request(
            "GET", url, headers=sent.headers, extensions={"trace": trace}
        )
        try:
            return await self._pooled.send(request, stream=True, auth=sent.bearer)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if connected:
                raise
        again = self._fresh.build_request("GET", url, headers=sent.headers)
        return await self._fresh.send(again, stream=True, auth=sent.bearer)
