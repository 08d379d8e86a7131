"""A TCP proxy on loopback that can be cut, as networks are, and that counts who comes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import TracebackType
from typing import Self

from anyio.from_thread import start_blocking_portal


class Proxy:
    """Forwards to one address for the length of an `async with` block.

    Args:
        target: host and port.
        at: where to listen; port 0 is any that is free.

    Attributes:
        address: where it listens.
        arrivals: when each connection came, by the monotonic clock.
        is_cut: whether connections are closed at once.
        is_silent: whether nothing comes through any more, and nobody is told.
        delay: seconds that what comes through waits, in each direction.
    """

    def __init__(self, target: tuple[str, int], at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.address = at
        self.arrivals: list[float] = []
        self.is_cut = False
        self.is_silent = False
        self.delay = 0.0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._came, *self.address, backlog=1024)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Break all connections off; those that come later are let through, unless `is_cut`."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def busiest(self, seconds: float = 1) -> int:
        """Return the most connections that came within so many seconds."""
        times = sorted(self.arrivals)
        return max((sum(1 for it in times if at <= it < at + seconds) for at in times), default=0)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.arrivals.append(monotonic())
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError):
            if not self.is_cut:
                onward = await asyncio.open_connection(*self._target)
                await asyncio.gather(self._pump(reader, onward[1]), self._pump(onward[0], writer))
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not self.is_silent:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


@contextmanager
def proxy_beside(target: tuple[str, int], delay: float = 0) -> Iterator[Proxy]:
    """Forward to an address for the length of the block, in a thread of its own.

    Args:
        target: host and port.
        delay: see `Proxy`.
    """
    proxy = Proxy(target)
    proxy.delay = delay
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(proxy):
        yield proxy
