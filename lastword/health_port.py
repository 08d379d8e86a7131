"""How a process of ours does, over HTTP: numbers only, nothing of any user.

`/health`: it lives and its loop turns. `/ready`: it can do its work; 503 where not. `/metrics`:
for Prometheus, where there are any.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lastword.usage import UsageError
from models.errors import DatabaseTrouble

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds for an answer: who asks does not wait much longer."""
_LEAVE = 1

Ready = Callable[[], Awaitable[dict[str, Any]]]
"""Returns what `/ready` answers; its key `ready` tells which code."""
Metrics = Callable[[], Awaitable[bytes]]
"""Returns what `/metrics` answers."""


@asynccontextmanager
async def health_port(
    port: int, ready: Ready, *, metrics: Metrics | None = None, host: str = HOST, setting: str
) -> AsyncIterator[int]:
    """Answer for the length of the block.

    Args:
        port: to listen at; 0: any that is free.
        ready: see `Ready`.
        metrics: see `Metrics`; None: there are none.
        host: address to listen at.
        setting: the variable that the port comes from, for messages.

    Yields:
        The port.

    Raises:
        UsageError: nothing can listen there.
    """
    listener = _listen(host, port, setting)
    config = uvicorn.Config(
        _pages(ready, metrics),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=50,
        timeout_graceful_shutdown=_LEAVE,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.shield(serving)


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a small part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int, setting: str) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        # socket's own words name the address once more; a name that is not found has no errno.
        number = getattr(error, "errno", None) or 0
        said = os.strerror(number) if number > 0 else getattr(error, "strerror", "it is no name")
        raise UsageError(
            f"nothing can answer for health at {host}, port {port} ({said}): set {setting}"
        ) from None


def _pages(ready: Ready, metrics: Metrics | None) -> Starlette:
    async def health(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readiness(_: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await ready()
        except TimeoutError:
            found = {"ready": False, "trouble": f"no answer within {PATIENCE:g} seconds"}
        return JSONResponse(found, 200 if found["ready"] else 503)

    async def numbers(_: Request) -> Response:
        try:
            async with asyncio.timeout(2 * PATIENCE):
                text = await metrics() if metrics else b""
        except (TimeoutError, DatabaseTrouble):
            return PlainTextResponse("the database does not answer: see /ready\n", 503)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/health", health), Route("/ready", readiness)]
    return Starlette(routes=[*routes, Route("/metrics", numbers)] if metrics else routes)
