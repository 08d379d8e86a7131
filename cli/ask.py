"""What is asked of a person: never an argument, for other users can see those."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass

from pydantic import SecretStr

from lastword.usage import UsageError
from lastword.wiring import checked_password

VARIABLE = "LASTWORD_PASSWORD"


def ask_password(prompt: str, *, stdin: bool) -> SecretStr:
    """Return a password from stdin, LASTWORD_PASSWORD, or the terminal, in this order.

    Args:
        prompt: what the terminal shows.
        stdin: whether it was asked to come from stdin.

    Raises:
        UsageError: there is none.
    """
    try:
        return checked_password(_read(prompt, stdin=stdin))
    except ValueError as error:
        raise UsageError(str(error)) from None


def confirm(question: str, *, otherwise: str) -> bool:
    """Return whether the person says yes.

    Raises:
        UsageError: nobody is there to ask; the message names the option for that.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is there to ask: {otherwise}")
    with _interruptible():
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _read(prompt: str, *, stdin: bool) -> str:
    if stdin:
        return _decode(sys.stdin.buffer.read()).removesuffix("\n").removesuffix("\r")
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    if not sys.stdin.isatty():
        raise ValueError(f"no password: give it by --password-stdin, {VARIABLE}, or at a terminal")
    try:
        with _interruptible():
            return getpass(f"{prompt}: ")
    except EOFError:
        raise ValueError("no password was typed") from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a prompt at once: asyncio's handler would wait for the line to be typed."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(file=sys.stderr)  # noqa: T201
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ValueError("the password is not UTF-8") from None
