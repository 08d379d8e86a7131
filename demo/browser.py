"""Debian's headless Chromium over the DevTools protocol, on the websockets that Prefect brings.

https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

EVERY = 0.3
START = 60.0
_PATIENCE = 30
_LARGEST = 64 * 1024 * 1024
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # refused to root, and all pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


class NotOnThePage(Exception):
    """A text that was to be on a page did not come."""


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)

    async def look(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """Set the size of the window in pixels, and whether its owner likes it dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        await self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, address: str) -> None:
        """Go to an address; what it shows may come later: see `expect`."""
        await self._call("Page.navigate", url=address)

    async def run(self, script: str) -> Any:  # noqa: ANN401 (any value that JSON can carry)
        """Return the value of a JavaScript expression."""
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer.get("result", {}).get("value")

    async def expect(self, *texts: str, deadline: float = 60) -> None:
        """Wait until all texts are to be read on the page.

        Raises:
            NotOnThePage: some are not, within so many seconds.
        """
        shown = ""
        try:
            async with asyncio.timeout(deadline):
                while missing := [text for text in texts if text not in shown]:
                    shown = " ".join((await self.run("document.body.innerText") or "").split())
                    await asyncio.sleep(EVERY)
        except TimeoutError:
            address = await self.run("location.href")
            raise NotOnThePage(
                f"{address} does not show {', '.join(map(repr, missing))}, but: {shown[:600]}"
            ) from None

    async def click(self, text: str, selector: str = "a, button, .p-tab, [role=tab]") -> None:
        """Click what bears this text.

        Raises:
            NotOnThePage: nothing does.
        """
        found = (
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            f".find(it => it.innerText.trim() === {json.dumps(text)})"
        )
        if not await self.run(f"(it => it ? (it.click(), true) : false)({found})"):
            raise NotOnThePage(f"{await self.run('location.href')} has no {text!r} to click on")

    async def picture(self, file: Path) -> None:
        """Save what the window shows as PNG, once nothing in it moves any more."""
        before, shown = b"", await self._shot()
        for _ in range(_PATIENCE):
            if shown == before:
                break
            await asyncio.sleep(EVERY)
            before, shown = shown, await self._shot()
        await asyncio.to_thread(file.write_bytes, shown)

    async def _shot(self) -> bytes:
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("id") == number:
                if error := answer.get("error"):
                    raise RuntimeError(f"{method}: {error['message']}")
                result: dict[str, Any] = answer["result"]
                return result


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """Start Chromium with a profile of its own; yield a tab; end it, whatever happens."""
    with TemporaryDirectory(prefix="lastword-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *("chromium", *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank"),
            env={**os.environ, "HOME": profile},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START):
                port, path = await _whereabouts(Path(profile, "DevToolsActivePort"))
            tab = await _tab(f"ws://127.0.0.1:{port}{path}")
            address = f"ws://127.0.0.1:{port}/devtools/page/{tab}"
            async with connect(address, max_size=_LARGEST, proxy=None) as socket:
                yield Page(socket)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _whereabouts(file: Path) -> tuple[str, str]:
    """Return port and path of the browser, which it writes down when it has them."""
    while True:
        with suppress(OSError, ValueError):
            port, path = (await asyncio.to_thread(file.read_text)).split()
            return port, path
        await asyncio.sleep(EVERY)


async def _tab(address: str) -> str:
    """Return the id of a new tab."""
    async with connect(address, proxy=None) as socket:
        wanted = {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}
        await socket.send(json.dumps(wanted))
        while (answer := json.loads(await socket.recv())).get("id") != 1:
            pass
        return str(answer["result"]["targetId"])
