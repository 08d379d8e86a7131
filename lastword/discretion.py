"""Nothing secret in any log of this process, in what it says when it dies, or in a core dump.

Libraries log what they send: httpx each URL with its query, httpcore headers, slixmpp what it says
to log in, aiosqlite each statement's values. Filters on loggers would not see what their children
log, and handlers come and go: so each record is made discreet when it is made.
"""

import logging
import re
import resource
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lastword.surprise import frames, words

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


# asyncio describes what it runs with arguments, results and errors.
_DESCRIBED = re.compile(r"<.*>")


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
    _die_quietly()


def _die_quietly() -> None:
    """Say where, not with what, when nobody catches an error; leave no memory behind."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = lambda kind, error, _: _last_words(kind, error)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = lambda told: _last_words(told.exc_type, told.exc_value)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda told: _last_words(told.exc_type, told.exc_value)
    with suppress(OSError, ValueError):  # a supervisor may have settled it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Programs that the system hands cores to need not heed the limit (core(5)): they get no page
    # of memory. PR_SET_DUMPABLE would hide our processes from each other under systemd's
    # ProtectProc=invisible, where `lastword up` has to find and end them.
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", "ascii")


def _last_words(kind: type[BaseException], error: BaseException | None) -> None:
    said = discreet(frames(error)) if error else kind.__name__
    with suppress(OSError, ValueError, AttributeError):  # there may be no stderr any more
        sys.stderr.write(f"{said}\n")


class _Discreet:
    """Makes records as another does, and then discreet."""

    def __init__(self, make: Any) -> None:  # noqa: ANN401 (logging's)
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record: logging.LogRecord = self._make(*args, **kwargs)
        library = record.name.partition(".")[0]
        if record.levelno < logging.WARNING and library in _PAYLOADS:
            record.msg, record.args = _LEFT_OUT, None
            return record
        record.args = _without_surprises(record.args)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a mistake that `logging` reports by itself
            return record
        told = discreet(said)
        if library == "asyncio":
            told = _DESCRIBED.sub("<…>", told.partition("\n")[0])
        if told != said:
            record.msg, record.args = told, None
        if record.exc_info and record.exc_info[1]:
            # Where this is there already, no formatter makes it again.
            record.exc_text = discreet(frames(record.exc_info[1]))
        return record


def _without_surprises(args: Any) -> Any:  # noqa: ANN401 (logging's)
    """Return a record's arguments with errors in words of which each may be read."""
    if isinstance(args, Mapping):
        return {name: _in_words(value) for name, value in args.items()}
    return tuple(map(_in_words, args)) if isinstance(args, tuple) else args


def _in_words(value: object) -> object:
    return words(value) if isinstance(value, BaseException) else value
