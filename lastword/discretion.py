"""Nothing secret in any log of this process, and none in a core dump.

Libraries log what they send: httpx each URL with its query, httpcore headers, slixmpp what it says
to log in, aiosqlite each statement's values. Filters on loggers would not see what their children
log, and handlers come and go: so each record is made discreet when it is made.
"""

import logging
import re
import resource
from contextlib import suppress
from typing import Any

_LEFT_OUT = "…"
# These log whole payloads: words of users, headers, what a login says.
_PAYLOADS = ("aiosqlite", "hpack", "httpcore", "slixmpp", "sqlalchemy", "websockets")
_NAMES = "password|passwd|secret|token|authorization|cookie|api_?key"
_KEPT = rf"\1{_LEFT_OUT}"
_RULES = [
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        # Passwords within addresses, of databases and of feeds.
        (r"(://[^\s/:@'\"]*):[^\s/@'\"]+@", rf"\1:{_LEFT_OUT}@"),
        (r"(https?://[^\s?#'\"<>]*)\?[^\s#'\"<>]*", rf"\1?{_LEFT_OUT}"),
        (r"\b(Bearer|Basic|Digest)\s+[\w.~+/=-]{4,}", rf"\1 {_LEFT_OUT}"),
        # RFC 6120, section 6: what either side says while logging in.
        (r"(<(auth|response|challenge|success)\b[^>]*>)[^<]+", _KEPT),
        (rf"(\b(?:authorization|cookie):\s*+)(?!Bearer|Basic|Digest)[^\s{_LEFT_OUT}]+", _KEPT),
        # As in NAME=…, in a query, in JSON, in a list of pairs; in prose a word may follow.
        (rf"(\b[\w-]*(?:{_NAMES})=\s*+['\"]?+)[^\s'\",;&)}}\]{_LEFT_OUT}]+", _KEPT),
        (rf"(\b[\w-]*(?:{_NAMES})['\"]\s*[:,]\s*b?+['\"])[^'\"{_LEFT_OUT}]+", _KEPT),
        (r"\bv1\.[0-9a-f]{8}\.[\w=-]{8,}", f"v1.{_LEFT_OUT}"),
    )
]


def discreet(text: str) -> str:
    """Return a text without what looks like a secret."""
    for pattern, to in _RULES:
        text = pattern.sub(to, text)
    return text


def be_discreet() -> None:
    """See to it for all of this process, from now on; again changes nothing.

    Call it where a process begins, and where others may have set up logging since.
    """
    for name in _PAYLOADS:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
    made = logging.getLogRecordFactory()
    if not isinstance(made, _Discreet):
        logging.setLogRecordFactory(_Discreet(made))
    with suppress(OSError, ValueError):  # a supervisor may have settled it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Discreet:
    """Makes records as another does, and then discreet."""

    def __init__(self, make: Any) -> None:  # noqa: ANN401 (logging's)
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record: logging.LogRecord = self._make(*args, **kwargs)
        if record.levelno < logging.WARNING and record.name.partition(".")[0] in _PAYLOADS:
            record.msg, record.args = _LEFT_OUT, None
            return record
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a mistake that `logging` reports by itself
            return record
        if (told := discreet(said)) != said:
            record.msg, record.args = told, None
        if record.exc_info and record.exc_info[0]:
            # Where this is there already, no formatter makes it again.
            record.exc_text = discreet(logging.Formatter().formatException(record.exc_info))
        return record
