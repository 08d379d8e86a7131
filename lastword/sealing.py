"""Sealing: AES-256-GCM whose result opens in exactly one place.

A token reads `v1.<key id>.<base64url of nonce and ciphertext>`. What it is for (table, column,
row, server) is authenticated with it: a token copied to another account does not open there,
and a password is never shown to a server other than the one that it was given for.

A column's value is a token, or words and then a token.
"""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import astuple, dataclass
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretBytes, SecretStr

from lastword.errors import LastWordError
from lastword.jid import domain_of
from models import Account

_VERSION = "v1"
_NONCE_BYTES = 12


class SealBroken(LastWordError):
    """This one token does not open: altered, moved here from elsewhere, or of another key."""


class OtherKey(SealBroken):
    """It was sealed with a key that is not here: no fault of the account."""


def sealed_columns() -> tuple[str, ...]:
    """Return the columns of accounts that hold sealed values: those that their table marks so."""
    columns = Account.__table__.columns  # type: ignore[attr-defined]
    return tuple(column.name for column in columns if column.info.get("sealed"))


@dataclass(frozen=True, slots=True)
class SealedFor:
    """The one place that a secret is good for.

    Attributes:
        table: the table's name.
        column: the column's name.
        row: the row's id.
        domain: the server that the secret may be shown to, in normal form.
    """

    table: str
    column: str
    row: int
    domain: str

    @classmethod
    def account(cls, account: Account, column: str) -> Self:
        """Return the place of an account's column, bound to the server of its JID.

        Raises:
            ValueError: the account has no id yet; flush it first. Or the column is not marked as
                one of sealed values: then no change of keys would find it.
        """
        if column not in sealed_columns():
            raise ValueError(f"the column {column} is not marked as SEALED")
        if account.id is None:
            raise ValueError("an account needs its id before anything is sealed for it")
        return cls("account", column, account.id, domain_of(account.jid))

    def bound(self) -> bytes:
        """Return the associated data, the same for the same place only."""
        return json.dumps([_VERSION, *astuple(self)]).encode()


class Sealing(Protocol):
    """Seals and opens, with one key or several."""

    def seal(self, text: SecretStr, place: SealedFor) -> str:
        """See `Seal.seal`."""
        ...

    def open(self, token: str, place: SealedFor) -> SecretStr:
        """See `Seal.open`."""
        ...


class Seal:
    """Seals and opens with one key, and never shows it.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: SecretBytes) -> None:
        plain = key.get_secret_value()
        self._cipher = AESGCM(plain)
        self._marking = SecretBytes(hmac.digest(plain, b"lastword mark", "sha256"))
        self.key_id = hashlib.sha256(b"lastword key id" + plain).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_id})"

    def seal(self, text: SecretStr, place: SealedFor) -> str:
        """Return a token that opens only with this key and for this place."""
        return self._seal(text, place, os.urandom(_NONCE_BYTES))

    def _seal(self, text: SecretStr, place: SealedFor, nonce: bytes) -> str:
        plain = text.get_secret_value().encode()
        sealed = nonce + self._cipher.encrypt(nonce, plain, place.bound())
        return f"{_VERSION}.{self.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def mark(self, text: SecretStr) -> str:
        """Return a word by which the same text is known again; only the key could guess it."""
        plain = text.get_secret_value().encode()
        return hmac.digest(self._marking.get_secret_value(), plain, "sha256").hex()

    def open(self, token: str, place: SealedFor) -> SecretStr:
        """Return what was sealed.

        Raises:
            SealBroken: it does not open here, or not with this key.
        """
        version, _, encoded = token.rpartition(".")
        if version != f"{_VERSION}.{self.key_id}":
            raise OtherKey("it was sealed with another key")
        try:
            sealed = _decode(encoded)
            nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return SecretStr(self._cipher.decrypt(nonce, ciphertext, place.bound()).decode())
        except (InvalidTag, ValueError):
            raise SealBroken("it was altered, or sealed for another place") from None

    def seal_again(self, token: str, place: SealedFor, other: "Seal") -> str:
        """Return a token of this key for what another key has sealed.

        It keeps its nonce, by which a secret is known to be the same one; see
        `models.held.credentials_of`. No two texts ever share key and nonce by that.

        Raises:
            SealBroken: it does not open.
        """
        text = other.open(token, place)
        nonce = _decode(token.rpartition(".")[2])[:_NONCE_BYTES]
        return self._seal(text, place, nonce)


def _decode(encoded: str) -> bytes:
    """Return what was encoded; only one text stands for it, so that none can be altered."""
    sealed = base64.urlsafe_b64decode(encoded)
    if base64.urlsafe_b64encode(sealed).decode() != encoded:
        raise ValueError("not as we write it")
    return sealed


def key_id_of(value: str) -> str:
    """Return the id of the key that a column's value was sealed with."""
    return split(value)[1].partition(".")[2].partition(".")[0]


def split(value: str) -> tuple[str, str]:
    """Return a column's value as the words before its token, and the token."""
    words, space, token = value.rpartition(" ")
    return words + space, token
