"""Serves an app on loopback, within the event loop that asks it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

BACKLOG = 2048


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever started us."""
        yield


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
        timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda *_: ssl_context) if ssl_context else None,
    )
    server = _Server(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    # It listens already, so nobody has to wait for the server to start.
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
