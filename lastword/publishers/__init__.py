"""On whose authority a status is set: one file per publisher, one line for each here."""

import ssl
from collections.abc import Callable

from lastword.lingering import Lingering
from lastword.publishers.base import Publisher
from lastword.publishers.login import Login
from lastword.publishers.operator import Operator, OperatorSettings
from lastword.sealing import Seal
from lastword.settings import Settings
from models import Account


def _login(
    settings: Settings, tls: ssl.SSLContext, open_secret: Callable[[Account], str], seal: Seal
) -> Publisher:
    return Login(
        tls=tls,
        open_secret=open_secret,
        servers=settings.xmpp_servers,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
        logins=settings.logins,
        lingering=Lingering(seal, settings.linger),
    )


def _operator(settings: Settings, *_: object) -> Publisher:
    return Operator(
        OperatorSettings().operators,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
    )


Build = Callable[[Settings, ssl.SSLContext, Callable[[Account], str], Seal], Publisher]

PUBLISHERS: dict[str, Build] = {
    "login": _login,
    "operator": _operator,
}


def build_publishers(
    settings: Settings, tls: ssl.SSLContext, open_secret: Callable[[Account], str], seal: Seal
) -> dict[str, Publisher]:
    """Return a publisher of each name; `close` each in the end.

    Args:
        settings: for deadlines, limits and servers.
        tls: decides which certificates are trusted; shared by all.
        open_secret: returns an account's password, or raises Rejected.
        seal: seals what a session needs to be resumed.

    Raises:
        Systemic: a setting is malformed.
    """
    return {name: build(settings, tls, open_secret, seal) for name, build in PUBLISHERS.items()}
