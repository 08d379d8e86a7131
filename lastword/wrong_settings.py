"""Settings that are none, in words: which variable, and why; never what it says."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from lastword.errors import Systemic


@contextmanager
def told_as_systemic() -> Iterator[None]:
    """Tell of wrong settings that are met within the block.

    Raises:
        Systemic: there were some; the message names them.
    """
    try:
        yield
    except (SettingsError, ValidationError) as error:
        if isinstance(error, ValidationError) and error.title not in _prefixes():
            raise
        raise Systemic("; ".join(wrong_settings(error))) from None


def wrong_settings(error: ValidationError | SettingsError) -> list[str]:
    """Return what is wrong, each as `LASTWORD_LOGINS: input should be …`."""
    if isinstance(error, SettingsError):
        field = re.search(r'field "(\w+)"', str(error))
        return [_line("LASTWORD_", (field[1] if field else "",), "it is not valid JSON")]
    # Only place and reason: the value that was given may be a secret.
    prefix = _prefixes().get(error.title, "LASTWORD_")
    return [_line(prefix, one["loc"], one["msg"]) for one in error.errors(include_input=False)]


def _line(prefix: str, place: tuple[int | str, ...], message: str) -> str:
    name = f"{prefix}{place[0]}".upper() if place else "settings"
    return f"{name}: {message[:1].lower()}{message[1:]}"


def _prefixes() -> dict[str, str]:
    """Return how the variables of each of our settings begin, by the name that its errors have."""

    def below(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    ours = [it for it in below(BaseSettings) if it.model_config.get("env_prefix")]
    return {
        it.__name__: prefix
        for it in ours
        if (prefix := it.model_config["env_prefix"]).startswith("LASTWORD_")
    }
