"""How the holder does, over HTTP on loopback: numbers only, nothing of any user.

`/health`: the process lives and its loop turns. `/ready`: it can do its work; 503 where not.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from lastword.usage import UsageError

HOST = "127.0.0.1"
_PATIENCE = 10.0
"""Seconds for one request, of which the database has all but one."""
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Ready = Callable[[], Awaitable[dict[str, Any]]]
"""Returns what `/ready` answers; its key `ready` tells which code."""


@asynccontextmanager
async def health_port(port: int, ready: Ready) -> AsyncIterator[int]:
    """Answer for the length of the block.

    Args:
        port: on loopback; 0: any that is free.
        ready: see `Ready`.

    Yields:
        The port.

    Raises:
        UsageError: the port is taken.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_PATIENCE):
                code, body = await _answer(await reader.readuntil(b"\r\n"), ready)
                writer.write(_response(code, body))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, HOST, port, limit=4096)
    except OSError as error:
        raise UsageError(
            f"port {port} for health is not to be had ({error.strerror}):"
            " set LASTWORD_HOLD_HEALTH_PORT"
        ) from None
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answer(request: bytes, ready: Ready) -> tuple[int, dict[str, Any]]:
    method, path, *_ = [*request.decode("latin-1").split(), "", ""]
    if method != "GET":
        return 405, {"error": "only GET"}
    match path.partition("?")[0]:
        case "/health":
            return 200, {"alive": True}
        case "/ready":
            found = await _in_time(ready)
            return (200 if found["ready"] else 503), found
    return 404, {"error": "there is /health and /ready"}


async def _in_time(ready: Ready) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_PATIENCE - 1):
            return await ready()
    except TimeoutError:
        return {"ready": False, "trouble": "the database does not answer"}


def _response(code: int, body: dict[str, Any]) -> bytes:
    content = f"{json.dumps(body)}\n".encode()
    head = (
        f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
