"""An account's wiring, checked in one place for the command line and for imported files."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self

from pydantic import SecretStr

from lastword import jid
from lastword.address import SourceAddress
from lastword.publishers import PUBLISHERS, pep
from lastword.span import format_span, parse_span
from lastword.status import check_template
from lastword.words import is_word_or_tag
from models import Account

WITHOUT_PASSWORD = frozenset({"operator"})
"""Publishers that connect on an authority other than the user's password."""

DEFAULT = "default"
"""Typed for `max_age`: as the settings say; for `pep`: as the server needs it."""
NEVER = "never"
"""Typed for `expires_after`: a status stays."""
LONGEST_STATUS = 1000

_DIGITS = 32
_KEPT = {"keep": True, "drop": False}
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NAME = re.compile(r"\w[\w.@+-]{0,63}")
_LONGEST = {"source": 2048, "template": 512, "password": 1024, "only": 1024, "never": 1024}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What people set about an account, but for its password."""

    name: str
    source: str
    jid: str
    publisher: str = "login"
    template: str = "{text}"
    length: int = 200
    mentions: bool = True
    hashtags: bool = True
    max_age: timedelta | None = None
    expires_after: timedelta | None = None
    only: str = ""
    never: str = ""
    pep: str = pep.DEFAULT
    active: bool = True

    @classmethod
    def of(cls, account: Account) -> Self:
        """Return an account's present wiring."""
        return cls(**{field: getattr(account, field) for field in cls.__slots__})

    def values(self) -> dict[str, Any]:
        """Return the wiring by column."""
        return asdict(self)

    def typed(self) -> dict[str, str]:
        """Return the wiring by column, each as a person would type it."""
        return {field: _typed(field, value) for field, value in self.values().items()}


def checked(field: str, text: str) -> Any:  # noqa: ANN401 (each column has its own type)
    """Return what a person typed for a column, as the column takes it.

    Raises:
        ValueError: it cannot be one; the message says what one looks like.
    """
    _check_length(field, text)
    # Control characters spoil terminals and logs; a lone surrogate has no UTF-8.
    if field != "password" and any(unicodedata.category(one) in {"Cc", "Cs"} for one in text):
        raise ValueError(f"the {field} has a control character in it")
    value = _CHECKS[field](text)
    # Kept, it may be longer than it was typed: words with a space after each comma.
    if isinstance(value, str):
        _check_length(field, value)
    return value


def _check_length(field: str, text: str) -> None:
    limit = _LONGEST.get(field, 4096)
    if len(text) > limit:
        raise ValueError(f"the {field} has {len(text)} characters, and {limit} is the limit")


def checked_password(password: SecretStr) -> SecretStr:
    """Return a password, which is taken as it is.

    Raises:
        ValueError: it is empty, or no text; the message does not repeat it.
    """
    if not password:
        raise ValueError("the password is empty")
    if len(password) > _LONGEST["password"]:
        raise ValueError(f"the password is longer than {_LONGEST['password']} characters")
    try:
        password.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("the password is not UTF-8") from None
    return password


def _name(text: str) -> str:
    name = unicodedata.normalize("NFC", text.strip())
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{text[:80]!r} cannot be a name: it takes 1 to 64 letters, digits and . _ @ + -,"
            " the first one a letter or digit"
        )
    return name


def _source(text: str) -> str:
    return str(SourceAddress.parse(text))


def _publisher(text: str) -> str:
    if text not in PUBLISHERS:
        known = ", ".join(sorted(PUBLISHERS))
        raise ValueError(f"there is no publisher {text[:32]!r}: there is {known}")
    return text


def _template(text: str) -> str:
    check_template(text)
    return text


def _length(text: str) -> int:
    # Python refuses to read a number of thousands of digits.
    if not text.isdecimal() or len(text) > _DIGITS or not 1 <= int(text) <= LONGEST_STATUS:
        raise ValueError(f"{text[:32]!r} is no length: it is a number from 1 to {LONGEST_STATUS}")
    return int(text)


def _kept(text: str) -> bool:
    if text.lower() not in _KEPT:
        raise ValueError(f"{text[:32]!r} is neither keep nor drop")
    return _KEPT[text.lower()]


def _active(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text[:32]!r} is neither yes nor no")
    return _YES[text.lower()]


def _max_age(text: str) -> timedelta | None:
    return None if text.strip().lower() in ("", DEFAULT) else parse_span(text)


def _expires_after(text: str) -> timedelta | None:
    return None if text.strip().lower() in ("", NEVER) else parse_span(text)


def _words(text: str) -> str:
    found = [unicodedata.normalize("NFC", one.strip()) for one in text.split(",") if one.strip()]
    for one in found:
        if not is_word_or_tag(one):
            raise ValueError(f"{one[:32]!r} is neither a word nor a #tag: give them with commas")
    return ", ".join(dict.fromkeys(found))


def _pep(text: str) -> str:
    found = [one.strip().lower() for one in text.split(",")]
    if found in ([""], [DEFAULT]):
        return pep.DEFAULT
    if found == [pep.NONE]:
        return pep.NONE
    for one in found:
        if one not in pep.NODES:
            raise ValueError(
                f"there is no {one[:32]!r} in PEP: there is {', '.join(pep.NODES)}, with commas,"
                f" or {pep.NONE}, or {DEFAULT}"
            )
    return ",".join(it for it in pep.NODES if it in found)


_CHECKS: dict[str, Callable[[str], Any]] = {
    "name": _name,
    "source": _source,
    "jid": jid.normalise,
    "publisher": _publisher,
    "template": _template,
    "length": _length,
    "mentions": _kept,
    "hashtags": _kept,
    "max_age": _max_age,
    "expires_after": _expires_after,
    "only": _words,
    "never": _words,
    "pep": _pep,
    "active": _active,
}


def _typed(field: str, value: Any) -> str:  # noqa: ANN401
    match field, value:
        case "mentions" | "hashtags", bool():
            return "keep" if value else "drop"
        case "active", bool():
            return "yes" if value else "no"
        case ("max_age", None) | ("pep", ""):
            return DEFAULT
        case "expires_after", None:
            return NEVER
        case _, timedelta():
            return format_span(value)
    return str(value)
