"""Where the servers of an XMPP domain are: SRV records (RFC 6120 section 3.2, XEP-0368).

A user types the domain, so addresses within our own network are refused here; slixmpp connects
to the very addresses that are returned, which leaves no gap between check and use.
"""

import asyncio
from ipaddress import ip_address

from aiodns import DNSResolver
from slixmpp.xmlstream.resolver import resolve

from lastword.errors import Deferred, Transient
from lastword.sources.hosts import is_public

Record = tuple[str, str, str, int]
"""As slixmpp has it: service, host name, address, port."""

_PORT = 5222
_SERVICES = ["xmpps-client", "xmpp-client"]
_TIMEOUT = 3.0


class Directory:
    """Finds servers; asks each question once per time to live, as c-ares caches the answers.

    Args:
        resolver: whom to ask; None: the system's name servers.
    """

    def __init__(self, resolver: DNSResolver | None = None) -> None:
        self._resolver = resolver

    async def servers(self, domain: str) -> list[Record]:
        """Return the public addresses of a domain's servers, best first.

        Raises:
            Transient: there are none.
            Deferred: all of them are private.
        """
        loop = asyncio.get_running_loop()
        if self._resolver is None:
            self._resolver = DNSResolver(loop=loop, timeout=_TIMEOUT, tries=2)
        records = await resolve(
            domain, _PORT, loop=loop, services=_SERVICES, resolver=self._resolver
        )
        if not records:
            raise Transient(f"{domain} cannot be reached: its name does not resolve")
        public = [record for record in records if is_public(ip_address(record[2]))]
        if not public:
            # Deferred, for it ends by itself once the operator has named the server.
            raise Deferred(
                f"{domain} leads to a private address ({records[0][2]}): correct the JID, or name"
                " the server in LASTWORD_XMPP_SERVERS if it is yours"
            )
        return public
