"""What a server's status or a broken connection means for the account."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
from httpx_secure import SSRFProtectionError

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.sources.allowance import LONGEST_WAIT, reset_of
from lastword.sources.hosts import place, refusal
from models.types import now

_MISSING = (404, 410)
_NOT_PUBLIC = (401, 403, 407, 451)
PASSING = (408, 421, 425)


def check_status(response: httpx.Response) -> None:
    """Raise what a status that is neither 2xx nor 304 means.

    Raises:
        Gone, Rejected, Deferred, Transient: as the status says.
    """
    status = response.status_code
    if response.is_success or status == HTTPStatus.NOT_MODIFIED:
        return
    words = f"{status} {_phrase(status)}".strip()
    answer = f"{place(response.url)} answers {words}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and response.headers.get("retry-after")
    ):
        raise Deferred(f"{answer}: it is asked again later", asked_until(response.headers))
    if status in _MISSING:
        raise Gone(f"{answer}: check the address or remove the account")
    if status in _NOT_PUBLIC:
        raise Rejected(f"{answer}: give an address that anyone can read")
    if response.is_client_error and status not in PASSING:
        raise Rejected(f"{answer}: check the address")
    raise Transient(answer)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def asked_until(headers: Mapping[str, str]) -> datetime | None:
    """Return until when a host asks us to wait, a day off at most, or None where it does not say.

    By its Retry-After, else by when its limit starts anew.
    """
    return _until(headers.get("retry-after")) or reset_of(headers)


def _until(retry_after: str | None) -> datetime | None:
    """Return the moment that a Retry-After header names (RFC 9110, 10.2.3), a day off at most."""
    if not retry_after:
        return None
    moment = now()
    try:
        if retry_after.strip().isdecimal():
            wait = timedelta(seconds=min(int(retry_after), LONGEST_WAIT.total_seconds()))
        else:
            date = parsedate_to_datetime(retry_after)  # always GMT, though an old form omits it
            wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - moment
    except (ValueError, OverflowError):
        return None
    return moment + min(max(wait, timedelta()), LONGEST_WAIT)


def trouble(error: Exception, url: httpx.URL) -> LastWordError:
    """Return what an exception from httpx means, in words for people."""
    for cause in _causes(error):
        if isinstance(cause, SSRFProtectionError):
            return refusal(url, cause.ip_addr)
        if words := _words(cause):
            return Transient(f"{place(url)} {words}")
    if isinstance(error, httpx.ConnectError):
        return Transient(f"{place(url)} cannot be reached")
    return Transient(f"{place(url)} broke off or garbled its answer")


def _words(cause: BaseException) -> str | None:
    match cause:
        case socket.gaierror():
            return "cannot be reached: its name does not resolve"
        case ssl.SSLCertVerificationError():
            reason = cause.verify_message.rstrip(".")
            return f"has a certificate that cannot be trusted: {reason}"
        case ssl.SSLError():
            return "does not manage to speak TLS with us"
        case ConnectionRefusedError():
            return "refuses connections"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and all that lies beneath it."""
    while error:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
