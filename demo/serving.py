"""Serves an app on loopback, within the event loop that asks it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.applications import Starlette

BACKLOG = 2048


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever started us."""
        yield

    async def main_loop(self) -> None:
        """Keep the clock of the answers right until the end."""
        while not self.over.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End at once, also with those that keep a connection or wait for an answer."""
        for task in self.server_state.tasks:
            task.cancel()
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


@asynccontextmanager
async def serving(app: Starlette, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve an app for the length of the block; yield its port on 127.0.0.1.

    Args:
        app: what answers.
        ssl_context: serves https; without it, http.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        ws="none",
        ssl_context_factory=(lambda *_: ssl_context) if ssl_context else None,
    )
    server = _Server(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    # It listens already, so nobody has to wait for the server to start.
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.over.set()
        await task
