"""Tell systemd how we do (sd_notify(3)): ready, alive, stopping; nothing where nobody listens."""

import asyncio
import os
import socket
from contextlib import suppress


def tell_supervisor(message: str) -> None:
    """Send one message such as `READY=1` to the socket that NOTIFY_SOCKET names."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        if address.startswith("@"):  # of the abstract namespace
            address = f"\0{address[1:]}"
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)  # a supervisor that does not listen must not hold us up
            out.sendto(message.encode(), address)


async def keep_watchdog_quiet() -> None:
    """Tell for ever, twice per WATCHDOG_USEC where that is set, that this loop turns."""
    seconds = int(os.environ.get("WATCHDOG_USEC") or 0) / 1e6 / 2
    while seconds:
        tell_supervisor("WATCHDOG=1")
        await asyncio.sleep(seconds)
