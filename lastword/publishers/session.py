"""One XMPP login, done right: an encrypted session within a deadline, or one error that says why.

Nothing is left behind, however it ends: no task, no timer, no socket.
"""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from secrets import token_hex

from pydantic import SecretStr
from slixmpp import JID, InvalidJID
from slixmpp.util.sasl.client import saslprep
from slixmpp.util.stringprep_profiles import StringPrepError

from lastword.errors import LastWordError, Rejected
from lastword.jid import is_same_server
from lastword.publishers import resumption
from lastword.publishers.client import Client
from lastword.publishers.dns import Directory
from lastword.publishers.resumption import NotResumed, Saved
from lastword.publishers.returning import return_messages
from lastword.trials import Begin

# At level DEBUG slixmpp logs what it sends, passwords included; all else reaches us as an error.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

_LEAVE = 2.0


@asynccontextmanager
async def xmpp_session(  # noqa: PLR0913 (what all logins share comes along)
    jid: str,
    password: SecretStr,
    *,
    tls: ssl.SSLContext,
    address: tuple[str, int] | None,
    deadline: float,
    answer_deadline: float,
    logins: AbstractAsyncContextManager[Begin | None],
    directory: Directory,
    resource: str | None = None,
    saved: Saved | None = None,
) -> AsyncIterator[Client]:
    """Log in, and close the stream when the block ends; at once where it ends by an error.

    Args:
        jid: bare JID.
        password: sent by SCRAM; in plain only within TLS, where the server knows nothing better.
        tls: decides which certificates are trusted; must verify them and their names.
        address: where to connect, see `Client.log_in`; None: where DNS says.
        deadline: seconds from connecting to being in session.
        answer_deadline: seconds for the server to answer one request within the session.
        logins: entered while logging in, so that only so many do so at once; may give what is to
            be awaited before the password is sent.
        directory: finds servers where no address is given.
        resource: ends the user's session of that name; None: a new name.
        saved: the session to resume; where the server no longer has it, a new one begins.

    Yields:
        slixmpp's client, in session.

    Raises:
        Transient: the server is not reached, too slow, or ends the connection.
        Deferred: its certificate or its policy forbids a login, whatever the account.
        Rejected: it refused the password or the login; not to be tried again.
        Gone: it has disabled the account, or lets its user open no session.
        NotResumed: the saved session came in the way of another.
    """
    check_tls(tls)
    own_jid = full_jid(jid, resource or f"lastword-{token_hex(4)}")
    check_password(password)
    async with logins as begin:
        client = Client(
            own_jid, password, tls=tls, directory=directory, answer_deadline=answer_deadline
        )
        return_messages(client)
        if saved:
            resumption.prepare(client, saved)
        try:
            await client.log_in(address, deadline, begin)
        except BaseException as error:
            await client.drop()
            if isinstance(error, LastWordError) and resumption.was_asked(client):
                raise NotResumed(str(error)) from None
            raise
    try:
        yield client
        await client.leave(min(_LEAVE, answer_deadline))
    finally:
        await client.drop()


def check_tls(tls: ssl.SSLContext) -> None:
    """Check that a context verifies certificates and the names in them."""
    if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
        raise ValueError("the TLS context must verify certificates and names")


def full_jid(jid: str, resource: str) -> str:
    """Return the JID with a resource of our own, so that no two sessions are in conflict.

    Raises:
        Rejected: it is none; or slixmpp, which prepares by RFC 3920 what RFC 7622 keeps, makes it
            another user's or another server's, who would get the password.
    """
    try:
        made = JID(f"{jid}/{resource}")
    except InvalidJID:
        raise Rejected(
            "the account's JID cannot be one: set the right one with `lastword accounts edit`"
        ) from None
    local, _, domain = jid.rpartition("@")
    if made.local != local or not is_same_server(made.domain, domain):
        raise Rejected(
            "the account's JID has a letter that XMPP software takes for another one, so no"
            " password was sent: set the JID that is meant with `lastword accounts edit`"
        )
    return made.full


def check_password(password: SecretStr) -> None:
    """Check that a password is one that SASL can carry (RFC 4013)."""
    try:
        saslprep(password.get_secret_value())
    except (StringPrepError, UnicodeError):
        raise Rejected(
            "the password has a character that no XMPP server takes: set the right one with"
            " `lastword accounts edit`"
        ) from None
