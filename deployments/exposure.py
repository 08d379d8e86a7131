"""Who can reach Prefect's server: whoever can, and is let in, runs programs as its user."""

import asyncio
import ipaddress
import os
import socket
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import psutil

PATIENCE = 2.0
"""Seconds for an address to answer."""


async def exposure(api: str) -> list[str]:
    """Return what lets others reach a Prefect server, and what to do about it; best: nothing.

    Args:
        api: the address of its API, as we use it.
    """
    url = urlsplit(api)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if _is_loopback(host):
        # Where it listens on all addresses, those of our network answer, too.
        reached = [address for address in _addresses() if await _listens(address, port)]
        places = [(it, f"{url.scheme}://{f'[{it}]' if ':' in it else it}:{port}") for it in reached]
    else:
        places = [(host, f"{url.scheme}://{url.netloc}")]
    found = [
        f"whoever can reach {host}, port {port}, can run programs as the user of Prefect's"
        " processes: let it listen on 127.0.0.1, or set PREFECT_SERVER_API_AUTH_STRING;"
        " see docs/operating.md"
        for host, origin in places[:1]
        if await asyncio.to_thread(_lets_us_in, f"{origin}/api/admin/version")
    ]
    if (
        url.scheme == "http"
        and not _is_loopback(host)
        and os.environ.get("PREFECT_API_AUTH_STRING")
    ):
        found.append(f"the password for {host} travels unencrypted: put it behind https")
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _addresses() -> list[str]:
    """Return this machine's addresses that others can reach."""
    every = [address for addresses in psutil.net_if_addrs().values() for address in addresses]
    usual = [it.address for it in every if it.family in (socket.AF_INET, socket.AF_INET6)]
    # Link-local ones need to be told the interface; where they answer, another one does.
    return [it for it in usual if "%" not in it and not _is_loopback(it)]


async def _listens(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


def _lets_us_in(url: str) -> bool:
    """Tell whether a page is shown to who gives no password."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=PATIENCE) as reply:
            return bool(reply.status == 200)  # noqa: PLR2004 (HTTP)
    except (OSError, ValueError):  # HTTPError, for who is not let in, is an OSError
        return False
