"""On whose authority a status is set: one file per publisher, one line for each here."""

import ssl
from collections.abc import Callable

from lastword.publishers.base import Publisher
from lastword.publishers.login import Login
from lastword.publishers.operator import Operator, OperatorSettings
from lastword.settings import Settings
from models import Account


def _login(
    settings: Settings, tls: ssl.SSLContext, open_secret: Callable[[Account], str]
) -> Publisher:
    return Login(
        tls=tls,
        open_secret=open_secret,
        servers=settings.xmpp_servers,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
        logins=settings.logins,
    )


def _operator(settings: Settings, *_: object) -> Publisher:
    return Operator(
        OperatorSettings().operators,
        deadline=settings.xmpp_deadline,
        answer_deadline=settings.xmpp_answer_deadline,
    )


PUBLISHERS: dict[str, Callable[[Settings, ssl.SSLContext, Callable[[Account], str]], Publisher]] = {
    "login": _login,
    "operator": _operator,
}


def build_publishers(
    settings: Settings, tls: ssl.SSLContext, open_secret: Callable[[Account], str]
) -> dict[str, Publisher]:
    """Return a publisher of each name; `close` each in the end.

    Args:
        settings: for deadlines, limits and servers.
        tls: decides which certificates are trusted; shared by all.
        open_secret: returns an account's password, or raises Rejected.

    Raises:
        Systemic: a setting is malformed.
    """
    return {name: build(settings, tls, open_secret) for name, build in PUBLISHERS.items()}
