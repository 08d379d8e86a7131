"""Where servers are that LASTWORD_XMPP_SERVERS names, instead of what DNS says."""

from collections.abc import Mapping
from typing import NamedTuple

from lastword.errors import Systemic

_DIRECT = "xmpps"


class DirectTLS(NamedTuple):
    """Host and port at which TLS begins at once (XEP-0368); at a plain pair, STARTTLS begins it."""

    host: str
    port: int


def server_addresses(servers: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return host and port of each domain whose server is set.

    Args:
        servers: `host:port` or `xmpps://host:port`, by domain.

    Raises:
        Systemic: one is malformed.
    """
    return {name.lower(): _address(name, at) for name, at in servers.items()}


def _address(domain: str, server: str) -> tuple[str, int]:
    scheme, is_named, rest = server.rpartition("://")
    host, _, port = rest.rpartition(":")
    if (is_named and scheme != _DIRECT) or not host or not port.isdecimal():
        raise Systemic(
            f"LASTWORD_XMPP_SERVERS has {server!r} for {domain}: write host:port, or"
            " xmpps://host:port where TLS begins at once"
        )
    address = host.removeprefix("[").removesuffix("]"), int(port)
    return DirectTLS(*address) if is_named else address
