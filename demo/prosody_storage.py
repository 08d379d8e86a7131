"""Prosody's internal storage, written directly: 800 accounts in a second, not one by one.

The format is that of util.datamanager and util.serialization in Prosody 0.12: one file per user
and store, each a Lua chunk that returns a table.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_hex

from slixmpp.util.sasl.client import saslprep

ITERATIONS = 4096
"""The least that RFC 5802 advises: the protocol is shown here, not the strength of passwords."""

Lua = str | int | Mapping[str | bool, "Lua"]


def write_accounts(
    data: Path, domain: str, passwords: Mapping[str, str], iterations: int = ITERATIONS
) -> None:
    """Write accounts as mod_auth_internal_hashed keeps them: SCRAM-SHA-1, RFC 5802 section 3.

    Args:
        data: Prosody's data directory.
        domain: the host that they are on.
        passwords: by name, the localpart of the JID.
        iterations: rounds of the key derivation.
    """
    store = _store(data, domain, "accounts")
    for name, password in passwords.items():
        salt = token_hex(8)
        salted = hashlib.pbkdf2_hmac("sha1", saslprep(password).encode(), salt.encode(), iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha1")
        account: dict[str | bool, Lua] = {
            "salt": salt,
            "iteration_count": iterations,
            "stored_key": hashlib.sha1(client_key, usedforsecurity=False).hexdigest(),
            "server_key": hmac.digest(salted, b"Server Key", "sha1").hex(),
        }
        _write(store, name, account)


def write_rosters(data: Path, domain: str, contacts: Mapping[str, Iterable[str]]) -> None:
    """Write mutual subscriptions between each contact and that contact's people."""
    rosters: dict[str, set[str]] = {}
    for contact, people in contacts.items():
        for person in people:
            rosters.setdefault(contact, set()).add(person)
            rosters.setdefault(person, set()).add(contact)
    store = _store(data, domain, "roster")
    for owner, others in rosters.items():
        roster: dict[str | bool, Lua] = {False: {"version": 1, "pending": {}}}
        for other in others:
            roster[f"{other}@{domain}"] = {"subscription": "both", "groups": {}}
        _write(store, owner, roster)


def lua(value: Lua) -> str:
    """Return a value as a Lua expression."""
    if isinstance(value, Mapping):
        return "{" + ";".join(f"[{lua(key)}]={lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = re.sub(rb"[^ !#-\[\]-~]", lambda match: b"\\%03d" % match[0][0], value.encode())
    return f'"{plain.decode("ascii")}"'


def _store(data: Path, domain: str, name: str) -> Path:
    store = data / _encode(domain) / name
    store.mkdir(parents=True, exist_ok=True)
    return store


def _write(store: Path, name: str, table: Mapping[str | bool, Lua]) -> None:
    (store / f"{_encode(name)}.dat").write_text(f"return {lua(table)};\n", encoding="ascii")


def _encode(name: str) -> str:
    encoded = re.sub(rb"[^0-9A-Za-z]", lambda match: b"%%%02x" % match[0][0], name.encode())
    return encoded.decode("ascii")
