"""A person's phone: an ordinary client that is online and says nothing by itself."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from slixmpp import ClientXMPP

from demo.prosody import Prosody

RESOURCE = "phone"
_LOGIN = 30.0
_AT_ONCE = 20


@asynccontextmanager
async def phones_online(prosody: Prosody, passwords: Mapping[str, str]) -> AsyncIterator[None]:
    """Keep a phone of each person online for the length of the block.

    Args:
        prosody: their server.
        passwords: by name.
    """
    tls = ssl.create_default_context(cafile=str(prosody.ca_file))
    logins = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:

        async def switch_on(name: str, password: str) -> None:
            async with logins:
                client = ClientXMPP(
                    f"{name}@{prosody.domain}/{RESOURCE}",
                    password,
                    sasl_mech="PLAIN",  # a crowd's SCRAM would keep a core busy for a while
                    ssl_context=tls,
                )
                stack.push_async_callback(_switch_off, client)
                client.enable_direct_tls = False
                online = client.loop.create_future()
                client.add_event_handler("session_start", lambda _: online.set_result(None))
                client.connect(prosody.host, prosody.port)
                async with asyncio.timeout(_LOGIN):
                    await online
                client.send_presence()

        await asyncio.gather(*(switch_on(*one) for one in passwords.items()))
        yield


async def _switch_off(client: ClientXMPP) -> None:
    client.cancel_connection_attempt()
    client.abort()
    for name in tuple(client.scheduled_events):
        client.cancel_schedule(name)
    if sending := client._run_out_filters:  # noqa: SLF001 (slixmpp leaves it running)
        sending.cancel()
        await asyncio.wait([sending])
