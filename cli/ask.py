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
        text = _read(prompt, variable=VARIABLE, option="--password-stdin", stdin=stdin)
        return checked_password(SecretStr(text))
    except ValueError as error:
        raise UsageError(str(error)) from None


def ask_secret(prompt: str, *, variable: str, option: str, stdin: bool) -> SecretStr:
    """Return a secret from stdin, an environment variable, or the terminal, in this order.

    Args:
        prompt: what the terminal shows.
        variable: the environment variable.
        option: the option by which it comes from stdin.
        stdin: whether it was asked to come from stdin.

    Raises:
        UsageError: there is none.
    """
    try:
        text = _read(prompt, variable=variable, option=option, stdin=stdin).strip()
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not text:
        raise UsageError(f"nothing was given: try again, or give it by {option}")
    return SecretStr(text)


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


def _read(prompt: str, *, variable: str, option: str, stdin: bool) -> str:
    what = option.removeprefix("--").removesuffix("-stdin")
    if stdin:
        return _decode(sys.stdin.buffer.read(), what).removesuffix("\n").removesuffix("\r")
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise ValueError(f"no {what}: give it by {option}, {variable}, or at a terminal")
    try:
        with _interruptible():
            return getpass(f"{prompt}: ")
    except EOFError:
        raise ValueError(f"no {what} was typed") from None


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


def _decode(text: bytes, what: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the {what} is not UTF-8") from None
