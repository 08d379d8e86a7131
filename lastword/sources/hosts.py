"""Which hosts may be asked: public ones, over https, unless the operator allows more.

httpx-secure checks the address that a connection really uses, and thereby defeats names that
change between check and use. But it finds that address by connecting once, so a user could
still make us knock at private ports. Hence names are looked up and judged here first.
"""

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from lastword.errors import Rejected, Transient

_HOST = re.compile(rb"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f.:]*:[0-9a-f.:]*")
_LONGEST_HOST = 253
_LOOKUPS = 64
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one of the open Internet's."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # RFC 6052: an IPv4 host, seen from a network that has only IPv6
            return is_public(IPv4Address(address.packed[-4:]))
        if address not in _UNICAST or address.sixtofour:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def parse_url(text: str) -> httpx.URL:
    """Return a web address that is fit to be asked.

    The dot that may end a name (RFC 1034, 3.1) is dropped: certificates know none, and a host is
    one host to those who count.

    Raises:
        ValueError: it is not; the message says what is wrong.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("that is not a web address") from None
    host = url.raw_host.removesuffix(b".")
    if (
        url.scheme not in ("http", "https")
        or len(host) > _LONGEST_HOST
        or not _HOST.fullmatch(host)
    ):
        raise ValueError("that is not a web address that begins with https://")
    if host != url.raw_host:
        url = url.copy_with(host=host.decode("ascii"))
    if url.userinfo:
        raise ValueError("a web address must not hold a name or password")
    if url.port is not None and not 0 < url.port < 1 << 16:
        raise ValueError("a port is a number from 1 to 65535")
    return url


def place(url: httpx.URL) -> str:
    """Return what messages call the URL: its host, for a path names the user, a query a secret."""
    return url.netloc.decode("ascii")


def refusal(url: httpx.URL, address: object) -> Rejected:
    return Rejected(
        f"{place(url)} leads to a private address ({address}): only public hosts are asked"
    )


class Hosts:
    """Judges URLs before they are asked, and addresses before they are connected to.

    Args:
        allowed: `host:port` pairs that may be private addresses or plain http.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = {pair.lower() for pair in allowed}
        # Not asyncio's few shared threads: names whose servers are silent hold one for seconds.
        self._lookups = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="lookup")

    def close(self) -> None:
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def allows(self, host: str, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Tell httpx-secure whether this connection may be made."""
        return self._is_allowed(host, port) or is_public(address)

    def _is_allowed(self, host: str, port: int) -> bool:
        return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") in self._allowed

    async def check(self, url: httpx.URL) -> None:
        """Check that a URL may be asked.

        Raises:
            Rejected: it is plain http, leads to a private address, or has no proper host.
            Transient: its name does not resolve.
        """
        host = url.raw_host.decode("ascii")
        if self._is_allowed(host, url.port or (443 if url.scheme == "https" else 80)):
            return
        if url.scheme != "https":
            raise Rejected(f"{place(url)} is plain http: give an address that begins with https://")
        for address in await self._addresses(host):
            if not is_public(address):
                raise refusal(url, address)

    async def _addresses(self, host: str) -> set[IPv4Address | IPv6Address]:
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._lookups, look_up)
        except UnicodeError:  # a label that is empty or longer than 63
            raise Rejected(f"{host[:99]} is not a host name: check the address") from None
        except OSError as error:
            raise Transient(f"{host} cannot be reached: its name does not resolve") from error
        return {ip_address(sockaddr[0]) for *_, sockaddr in found}
