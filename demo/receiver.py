"""Somebody who is told: a webhook for alerts, and a dead-man's switch for pings, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.serving import serving


@dataclass(frozen=True, slots=True)
class Message:
    """An alert as it arrived."""

    subject: str
    body: str
    at: float
    """By `time.monotonic`."""


@dataclass
class Receiver:
    """What has arrived.

    Attributes:
        webhook: where alerts go.
        switch: where pings go.
        messages: alerts, oldest first.
        pings: `/start`, `/fail` or nothing for success, oldest first.
    """

    webhook: str = ""
    switch: str = ""
    messages: list[Message] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)

    async def message(self, words: str, deadline: float) -> Message:
        """Return the message whose subject has these words, once it is there.

        Raises:
            TimeoutError: it was not there within so many seconds.
        """
        async with asyncio.timeout(deadline):
            while not (found := [one for one in self.messages if words in one.subject]):
                await asyncio.sleep(0.05)
        return found[0]

    async def take_alert(self, request: Request) -> Response:
        """Take what the automations send."""
        said = await request.json()
        self.messages.append(Message(said["subject"], said["body"], monotonic()))
        return Response()

    async def take_ping(self, request: Request) -> Response:
        """Take what runs send."""
        self.pings.append(request.url.path.removeprefix("/ping"))
        return Response()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Receive for the length of the block."""
    receiver = Receiver()
    routes = [
        Route("/alerts", receiver.take_alert, methods=["POST"]),
        Route("/ping", receiver.take_ping, methods=["POST"]),
        Route("/ping/{what}", receiver.take_ping, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes)) as port:
        receiver.webhook = f"http://127.0.0.1:{port}/alerts"
        receiver.switch = f"http://127.0.0.1:{port}/ping"
        yield receiver
