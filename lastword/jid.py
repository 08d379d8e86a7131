"""Bare JIDs: checked and brought into one form when people type them (RFC 7622).

The publisher's XMPP library prepares a JID once more; this is for a message in time.
"""

import stringprep
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

LOOKS_LIKE = "a JID looks like alice@chat.example"

# RFC 7622 section 3.3.1: refused beyond what the IdentifierClass of RFC 8264 refuses.
_NEVER = frozenset("\"&'/:<>@")
# Letters and digits of RFC 8264 section 9.1; of the rest ASCII only.
_LETTERS_DIGITS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})
_PART_BYTES = 1023


def normalise(text: str) -> str:
    """Return a bare JID in its normal form: `localpart@domainpart`.

    Args:
        text: what a person typed.

    Raises:
        ValueError: it is no bare JID, and the message says why and what one looks like; or it is
            one that the XMPP library would take for another.
    """
    try:
        jid = _normalise(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a JID ({error}): {LOOKS_LIKE}") from None
    if (folded := _folded(jid)) != jid:
        raise ValueError(
            f"{text!r} cannot be used, for XMPP software takes it for {folded!r}: give that one if"
            " it is meant"
        )
    return jid


def domain_of(jid: str) -> str:
    """Return the domainpart of a JID in normal form: the server that it belongs to."""
    return jid.rpartition("@")[2]


def is_same_server(one: str, other: str) -> bool:
    """Tell whether two domainparts are one name, be it in U-labels or A-labels (RFC 5890)."""
    if one == other:
        return True
    try:
        return idna.encode(one) == idna.encode(other)
    except idna.IDNAError:
        return False


def _folded(jid: str) -> str:
    """Return what nodeprep and nameprep (RFC 3920, RFC 3491) make of a JID in normal form.

    They know no ß, ς and no joiners, which RFC 7622 keeps: another user, at another server.
    """
    kept = (character for character in jid if not stringprep.in_table_b1(character))
    return unicodedata.normalize("NFKC", "".join(map(stringprep.map_table_b2, kept)))


def _normalise(text: str) -> str:
    local, at, domain = text.partition("@")
    if not at:
        raise ValueError("the @ is missing")
    if "/" in text:
        raise ValueError("leave out the resource, from the / on")
    if not local:
        raise ValueError("nothing stands before the @")
    if not domain:
        raise ValueError("the server after the @ is missing")
    return f"{_local(local)}@{_domain(domain)}"


def _local(text: str) -> str:
    """Apply the UsernameCaseMapped profile (RFC 8265 section 3.3): width, case, NFC."""
    wide = "".join(_narrow(character) for character in text)
    local = unicodedata.normalize("NFC", wide.lower())
    for character in local:
        if character.isspace():
            raise ValueError("it has a space in it")
        if character in _NEVER or not _is_identifier(character):
            raise ValueError(f"it may not have {character!r} before the @")
    if len(local.encode()) > _PART_BYTES:
        raise ValueError("it is too long before the @")
    return local


def _narrow(character: str) -> str:
    kind = unicodedata.decomposition(character).partition(" ")[0]
    is_wide = kind in {"<wide>", "<narrow>"}
    return unicodedata.normalize("NFKC", character) if is_wide else character


def _is_identifier(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    is_compatible = unicodedata.normalize("NFKC", character) != character
    return unicodedata.category(character) in _LETTERS_DIGITS and not is_compatible


def _domain(text: str) -> str:
    """Return a host name as U-labels (RFC 7622 section 3.2), or an IP address as it is."""
    if any(character.isspace() for character in text):
        raise ValueError("it has a space in it")
    try:
        if text.startswith("[") and text.endswith("]"):
            return f"[{IPv6Address(text[1:-1])}]"
        return str(IPv4Address(text))
    except AddressValueError:
        pass
    try:
        return idna.decode(idna.encode(text.removesuffix("."), uts46=True))
    except idna.IDNAError as error:
        raise ValueError(f"{text!r} is no server's name: {error}") from None
