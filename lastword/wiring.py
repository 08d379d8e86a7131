"""An account's wiring, checked in one place for the command line and for imported files."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import SecretStr

from lastword import jid
from lastword.address import SourceAddress
from lastword.publishers import PUBLISHERS
from lastword.status import check_template
from models import Account

WITHOUT_PASSWORD = frozenset({"operator"})
"""Publishers that connect on an authority other than the user's password."""

_NAME = re.compile(r"\w[\w.@+-]{0,63}")
_LONGEST = {"source": 2048, "template": 512, "password": 1024}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What people set about an account, but for its password."""

    name: str
    source: str
    jid: str
    publisher: str = "login"
    template: str = "{text}"
    active: bool = True

    @classmethod
    def of(cls, account: Account) -> Self:
        """Return an account's present wiring."""
        return cls(**{field: getattr(account, field) for field in cls.__slots__})

    def values(self) -> dict[str, Any]:
        """Return the wiring by column."""
        return asdict(self)


def checked(field: str, text: str) -> str:
    """Return what a person typed for a column, in its normal form.

    Raises:
        ValueError: it cannot be one; the message says what one looks like.
    """
    limit = _LONGEST.get(field, 4096)
    if len(text) > limit:
        raise ValueError(f"the {field} has {len(text)} characters, and {limit} is the limit")
    # Control characters spoil terminals and logs; a lone surrogate has no UTF-8.
    if field != "password" and any(unicodedata.category(one) in {"Cc", "Cs"} for one in text):
        raise ValueError(f"the {field} has a control character in it")
    return _CHECKS[field](text)


def checked_password(text: str) -> SecretStr:
    """Return a password, which is taken as it is.

    Raises:
        ValueError: it is empty, or no text; the message does not repeat it.
    """
    if not text:
        raise ValueError("the password is empty")
    if len(text) > _LONGEST["password"]:
        raise ValueError(f"the password is longer than {_LONGEST['password']} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the password is not UTF-8") from None
    return SecretStr(text)


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


_CHECKS: dict[str, Callable[[str], str]] = {
    "name": _name,
    "source": _source,
    "jid": jid.normalise,
    "publisher": _publisher,
    "template": _template,
}
