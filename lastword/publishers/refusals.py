"""What the ways in which a server refuses us mean for the account."""

import socket
import ssl
from xml.etree.ElementTree import Element

from lastword.errors import Deferred, Gone, LastWordError, LoginRefused, Transient

# RFC 6120 section 4.9.3: passing troubles of the server, or of this one connection.
_PASSING = frozenset(
    {
        *("conflict", "connection-timeout", "internal-server-error", "remote-connection-failed"),
        *("reset", "resource-constraint", "system-shutdown", "undefined-condition"),
    }
)
# RFC 6120 section 8.3.3: what a server may be able to do the next time.
_NOT_JUST_NOW = frozenset({"internal-server-error", "remote-server-timeout", "resource-constraint"})
# The same section, and 7.6.2.2: the server's rules, which say no to this user until they change.
_FORBIDDEN = frozenset({"not-allowed", "forbidden"})
_SHOWN = 120


def of_login(failure: Element, domain: str) -> LastWordError:
    """Return what a SASL failure (RFC 6120 section 6.5) means.

    A failure that is not passing is never tried again: servers ban whole IPs for it.
    """
    condition, text = _said(failure)
    match condition:
        case "temporary-auth-failure" | "aborted":
            return Transient(f"{domain} cannot check passwords just now ({condition})")
        case "account-disabled":
            return Gone(f"{domain} has disabled the account{text}")
        case "not-authorized" | "credentials-expired":
            return LoginRefused(
                f"{domain} refused the password: set the right one with `lastword accounts edit`"
            )
    return LoginRefused(f"{domain} refused the login ({condition}){text}")


def of_stream(error: Element, domain: str) -> LastWordError:
    """Return what a stream error (RFC 6120 section 4.9) means."""
    condition, text = _said(error)
    kind = Transient if condition in _PASSING else Deferred
    return kind(f"{domain} ended the connection ({condition}){text}")


def of_session(answer: Element, domain: str) -> LastWordError:
    """Return what an error to the request for a session means (RFC 6120, 7.6.2 and 7.7.2)."""
    error = answer.find("{jabber:client}error")
    condition, text = _said(answer if error is None else error)
    if condition in _FORBIDDEN:
        return Gone(
            f"{domain} lets the user open no session ({condition}){text}: its operator must allow"
            " it, or pause the account"
        )
    return Transient(f"{domain} gave us no session ({condition}){text}")


def of_answer(kind: str, condition: str, domain: str) -> LastWordError | None:
    """Return what an error to a request within a session means; None: there is no such thing.

    Args:
        kind: the error's type (RFC 6120, 8.3.2).
        condition: its name (RFC 6120, 8.3.3).
        domain: the server.
    """
    if kind == "wait" or condition in _NOT_JUST_NOW:
        return Transient(f"{domain} cannot do that just now ({condition})")
    return None


def of_connection(reason: object, domain: str) -> LastWordError:
    """Return what an exception from connecting or from the TLS handshake means.

    A certificate is the server's fault, not the account's, and stays what it is for the next
    seconds: hence Deferred.
    """
    match reason:
        case ssl.SSLCertVerificationError():
            why = reason.verify_message.rstrip(".")
            return Deferred(
                f"{domain} has a certificate that cannot be trusted ({why}): no password was sent"
            )
        case ssl.SSLError():
            return Deferred(f"{domain} does not manage to speak TLS with us: no password was sent")
        case ConnectionRefusedError():
            return Transient(f"{domain} refuses connections")
        case TimeoutError():
            return Transient(f"{domain} does not answer")
        case str() | socket.gaierror():  # slixmpp turns the one into the other
            return Transient(f"{domain} cannot be reached: its server's name does not resolve")
    return Transient(f"{domain} cannot be reached")


def _said(refusal: Element) -> tuple[str, str]:
    """Return the condition's name, and the server's own words where there are some."""
    condition, text = "undefined-condition", ""
    for child in refusal:
        name = child.tag.rpartition("}")[2]
        if name == "text":
            words = " ".join((child.text or "").split())
            text = f": “{words[:_SHOWN]}”" if words else ""
        elif condition == "undefined-condition":
            condition = name
    return condition, text
