"""On whose authority a status is set: one file per publisher, one line for each here."""

import ssl
from collections.abc import Callable

from pydantic import SecretStr

from lastword.holder.settings import HoldSettings
from lastword.lingering import Lingering
from lastword.publishers.base import Publisher
from lastword.publishers.hold import Hold
from lastword.publishers.login import Login
from lastword.publishers.operator import Operator, OperatorSettings
from lastword.sealing import Sealing
from lastword.settings import Settings
from lastword.trials import Trials
from models import Account
from models.database import Database

OpenSecret = Callable[[Account], SecretStr]
"""Returns an account's password, or raises Rejected."""


def _login(
    settings: Settings,
    tls: ssl.SSLContext,
    open_secret: OpenSecret,
    seal: Sealing,
    database: Database,
    is_shared: bool,
) -> Publisher:
    del is_shared  # each user's logins are by themselves
    return Login(
        tls=tls,
        open_secret=open_secret,
        servers=settings.xmpp_servers,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
        logins=settings.logins,
        lingering=Lingering(seal, settings.linger),
        trials=Trials(database),
    )


def _operator(
    settings: Settings,
    tls: ssl.SSLContext,
    open_secret: OpenSecret,
    seal: Sealing,
    database: Database,
    is_shared: bool,
) -> Publisher:
    del tls, open_secret, seal  # no password is used, and the component protocol has no TLS
    return Operator(
        OperatorSettings().operators,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
        shared_by=database if is_shared else None,
    )


def _hold(
    settings: Settings,
    tls: ssl.SSLContext,
    open_secret: OpenSecret,
    seal: Sealing,
    database: Database,
    is_shared: bool,
) -> Publisher:
    del settings, tls, open_secret, seal, is_shared  # these are the holder's affair
    return Hold(database, deadline=HoldSettings().hold_deadline)


Build = Callable[[Settings, ssl.SSLContext, OpenSecret, Sealing, Database, bool], Publisher]

PUBLISHERS: dict[str, Build] = {
    "login": _login,
    "operator": _operator,
    "hold": _hold,
}


def build_publishers(
    settings: Settings,
    tls: ssl.SSLContext,
    open_secret: OpenSecret,
    seal: Sealing,
    database: Database,
    *,
    is_shared: bool = False,
) -> dict[str, Publisher]:
    """Return a publisher of each name; `close` each in the end.

    Args:
        settings: for deadlines, limits and servers.
        tls: decides which certificates are trusted; shared by all.
        open_secret: see `OpenSecret`.
        seal: seals what a session needs to be resumed.
        database: ours.
        is_shared: whether other processes of the same run publish at the same time.

    Raises:
        Systemic: a setting is malformed.
    """
    means = settings, tls, open_secret, seal, database, is_shared
    return {name: build(*means) for name, build in PUBLISHERS.items()}
