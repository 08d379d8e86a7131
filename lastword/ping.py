"""The ping to a dead-man's switch outside: who is dead cannot say so, but is missed.

As healthchecks.io takes it (https://healthchecks.io/docs/http_api/), and those that do alike.
"""

import logging
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for each step of one ping: a run does not wait longer for a switch that is slow."""
_SAID = 10_000


class Ping:
    """Tells of one run. Its failures are logged and cost nothing.

    Args:
        url: the check's own address; None: nobody is told.
    """

    def __init__(self, url: SecretStr | None) -> None:
        self._url = url

    def started(self) -> None:
        """Tell that a run has begun."""
        self._send("/start", "")

    def succeeded(self, message: str) -> None:
        """Tell that a run has done what it was for, and that its ledger adds up."""
        self._send("", message)

    def failed(self, message: str) -> None:
        """Tell that a run failed."""
        self._send("/fail", message)

    def _send(self, what: str, message: str) -> None:
        if self._url is None:
            return
        body = message.encode()[:_SAID]
        try:
            to = httpx.URL(self._url.get_secret_value().rstrip("/") + what)
            # What it answers is of no interest, and may be long.
            with httpx.stream("POST", to, content=body, timeout=PATIENCE) as reply:
                reply.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Neither address nor answer: who knows the one can silence the switch.
            status = getattr(getattr(error, "response", None), "status_code", "")
            log.warning("LASTWORD_PING_URL was not reached: %s %s", type(error).__name__, status)


def is_safe(url: str) -> bool:
    """Tell whether nobody between here and there can read an address: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
