"""What the owner of an account is told, in words for somebody who cannot run `lastword`."""

import re
from datetime import datetime

from lastword.cause_words import lasting, moment
from lastword.errors import LoginRefused

_COMMAND = re.compile(r"[:,][^:]*`.*")
"""What a reason says to operators: what to type, after what happened."""


def needs_owner(
    *, jid: str, source: str, error: str | None, reason: str, since: datetime, contact: str
) -> str:
    """Return the message that an account waits for its owner.

    Args:
        jid: the account's.
        source: its source address.
        error: the error's class name.
        reason: what was said to operators.
        since: since when it waits (aware).
        contact: whom to turn to, or empty.
    """
    operator = f"whoever runs Last Word for you ({contact})" if contact else _OPERATOR
    if error == LoginRefused.__name__:
        to_do = (
            "if you have changed your password, or no longer use this address, let"
            f" {operator} know how to go on. {_NO_PASSWORDS}"
        )
    elif _COMMAND.search(reason):
        to_do = f"let {operator} know of it: the two of you can put it right. {_NO_PASSWORDS}"
    else:
        to_do = (
            f"look whether anyone can still read your posts at {source}, and let {operator} know"
            " what has changed. Do not answer this message: nobody reads it."
        )
    return _clean(
        f"Last Word, which makes your newest public post your chat status, cannot do so for {jid}"
        " any more.\n"
        f"What happened: {_plain(reason)}. Since {_exact(since)}; it is not tried again before"
        " something has changed.\n"
        f"What to do: {to_do}\n"
        "You are told this once, and once more when it works again."
    )


def healed(*, jid: str, since: datetime, until: datetime) -> str:
    """Return the message that an account works again.

    Args:
        jid: the account's.
        since: since when it had waited (aware).
        until: when it worked again (aware).
    """
    return _clean(
        f"Last Word works again for {jid}: your newest public post is your chat status as before.\n"
        f"It did not work from {_exact(since)} to {_exact(until)} ({lasting(until - since)})."
        " You have nothing left to do."
    )


_OPERATOR = "whoever runs Last Word for you"
_NO_PASSWORDS = "Do not answer this message, and never write a password into a chat."


def _exact(when: datetime) -> str:
    """Return a moment with its date: the message may be read days later."""
    return f"{when:%Y-%m-%d} {moment(when, when)}"


def _plain(reason: str) -> str:
    text = _COMMAND.sub("", " ".join(reason.split())).strip(" .:,")
    return text or "your account was refused"


def _clean(text: str) -> str:
    """Return what is fit for XMPP, whatever a server said."""
    return "".join(one for one in text if one.isprintable() or one == "\n")
