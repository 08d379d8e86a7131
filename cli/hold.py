"""`lastword hold`: the service that keeps sessions, so that their statuses stay up between runs."""

import asyncio
import signal
from time import monotonic

from rich.console import Console

from cli.errors import EXIT_OK
from lastword.holder.service import Holder
from lastword.holder.settings import HoldSettings
from lastword.secrets import Keyring
from lastword.services import xmpp_tls_context
from lastword.settings import Settings
from models.database import Database
from models.types import now

NEWS = 1.0
"""Seconds between two looks at the number of sessions,"""
CALM = 10.0
"""and between two lines about it while it is changing."""


async def hold() -> int:
    """Keep the sessions of all active accounts with publisher hold, until Ctrl-C or SIGTERM.

    One per database. The flow asks it for new statuses, and it shows them within seconds.
    http://127.0.0.1:8099/ready tells how it does (LASTWORD_HOLD_HEALTH_PORT).
    """
    settings, own = Settings(), HoldSettings()
    keyring = Keyring.load(settings)
    tls = xmpp_tls_context(settings)
    console = Console(highlight=False)
    async with Database.open(settings.database) as database:
        await keyring.check(database)
        holder = Holder(database, keyring, tls, settings, own)

        def started(port: int) -> None:
            console.print(f"[bold green]Last Word holds[/]: http://127.0.0.1:{port}/ready")

        holding = asyncio.create_task(holder.run(started))
        news = asyncio.create_task(_tell_counts(holder, console))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Leaving takes seconds, and people press Ctrl-C again: once is enough.
            loop.add_signal_handler(number, _stop, holding, console)
        try:
            await holding
        except asyncio.CancelledError:
            console.print("Stopped.")
        finally:
            news.cancel()
    return EXIT_OK


def _stop(holding: "asyncio.Task[None]", console: Console) -> None:
    if not holding.cancelling():
        console.print("Leaving …")
        holding.cancel()


async def _tell_counts(holder: Holder, console: Console) -> None:
    """Print how many sessions are up: when all are, and now and then while some are not."""
    told, at = (0, 0), monotonic()
    while True:
        await asyncio.sleep(NEWS)
        wanted, up = counts = holder.counts
        if counts != told and (wanted == up or monotonic() - at > CALM):
            told, at = counts, monotonic()
            when = now().astimezone().strftime("%H:%M:%S")
            console.print(f"{when}  {up} of {wanted} sessions are up")
