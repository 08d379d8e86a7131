"""The network between Last Word and the servers: slow, lossy, unplugged, cut.

A `Wire` is two pairs of virtual Ethernet devices that lead to a network namespace: one to the
servers, which is impaired, by tc-netem(8) where the kernel has it, else by taking it down for
moments; and one to Prefect's server, which is not. What runs inside finds the servers under the
names that they have here. It needs the rights of root; `Proxies` do without, on loopback, for the
chat server only, and cannot lose packets.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bench.proxy import Proxy
from demo.stage import DOMAIN, Stage

_DOWN = 0.02
"""Seconds that a link which loses packets is down at once."""


class Proxies:
    """TCP proxies in front of a stage's chat server, for the length of an `async with` block.

    Args:
        scene: the stage; its `lastword` is led through.

    Attributes:
        what: that it is, for people.
        before: what a command that is to be led through begins with.
    """

    what = "TCP proxies on loopback"
    before: Sequence[str] = ()

    def __init__(self, scene: Stage) -> None:
        self._scene = scene
        self._stack = AsyncExitStack()
        self._proxies: list[Proxy] = []

    async def __aenter__(self) -> Self:
        try:
            await self._lead()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _lead(self) -> None:
        prosody = self._scene.prosody
        c2s = await self._proxy(prosody.address)
        component = await self._proxy((prosody.host, prosody.component_port))
        self._scene.lastword.environment |= {
            "LASTWORD_XMPP_SERVERS": json.dumps({DOMAIN: c2s}),
            "LASTWORD_OPERATORS": json.dumps({DOMAIN: prosody.gateway | {"server": component}}),
        }

    async def _proxy(self, target: tuple[str, int], at: tuple[str, int] = ("127.0.0.1", 0)) -> str:
        proxy = await self._stack.enter_async_context(Proxy(target, at))
        self._proxies.append(proxy)
        return "{}:{}".format(*proxy.address)

    def impair(self, *, delay: float, loss: float) -> None:
        """Delay what goes through, in each direction, and lose some of it.

        Args:
            delay: seconds.
            loss: share of packets; here none is lost.
        """
        del loss
        for proxy in self._proxies:
            proxy.delay = delay

    def unplug(self) -> None:
        """Let nothing through, and tell nobody: connections are half open."""
        for proxy in self._proxies:
            proxy.is_silent = True

    def plug(self) -> None:
        """Let all through again; what was swallowed meanwhile stays lost."""
        for proxy in self._proxies:
            proxy.is_silent = False

    def cut(self) -> None:
        """Break all connections off, and each that comes until `mend`."""
        for proxy in self._proxies:
            proxy.is_cut = True
            proxy.cut()

    def mend(self) -> None:
        """Let connections come again."""
        for proxy in self._proxies:
            proxy.is_cut = False


class Wire(Proxies):
    """See the module and `Proxies`; the site, too, is behind it."""

    what = "network namespaces"

    def __init__(self, scene: Stage) -> None:
        super().__init__(scene)
        self._flapping: asyncio.Task[None] | None = None
        self._name = f"lastword-{os.getpid()}"
        self._near, self._clean = f"lwn{os.getpid()}", f"lwc{os.getpid()}"

    @staticmethod
    def is_allowed() -> bool:
        """Tell whether we may make network namespaces, and devices in them."""
        name, device = f"lastword-try-{os.getpid()}", f"lwt{os.getpid()}"
        try:
            _do("ip", "netns", "add", name)
            _do(
                *("ip", "link", "add", device, "type", "veth"),
                *("peer", "name", "x", "netns", name),
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        finally:
            with suppress(OSError, subprocess.CalledProcessError):
                _do("ip", "netns", "delete", name)
        return True

    async def _lead(self) -> None:
        _do("ip", "netns", "add", self._name)
        self._stack.callback(_do, "ip", "netns", "delete", self._name)
        self._stack.callback(self._stop_flapping)
        # Of the addresses for tests of networks (RFC 2544), eight for each process.
        block = os.getpid() % (1 << 14)
        third, fourth = divmod(block % (1 << 13) * 8, 256)
        net = f"198.{18 + (block >> 13)}.{third}"
        servers, clean = f"{net}.{fourth + 1}", f"{net}.{fourth + 5}"
        self._pair(self._near, servers, f"{net}.{fourth + 2}")
        self._pair(self._clean, clean, f"{net}.{fourth + 6}")

        self._at = servers
        await super()._lead()
        site, environment = self._scene.site, self._scene.lastword.environment
        port = urlsplit(site.base).port or 0
        await self._proxy(("127.0.0.1", port), (servers, port))
        prefect = urlsplit(environment["PREFECT_API_URL"])
        proxy = Proxy((prefect.hostname or "", prefect.port or 0), (clean, 0))
        await self._stack.enter_async_context(proxy)
        environment["PREFECT_API_URL"] = "http://{}:{}/api".format(*proxy.address)

        hosts = self._scene.directory / "hosts"
        hosts.write_text(f"{servers} localhost\n")
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        self.before = ("ip", "netns", "exec", self._name, "sh", "-c", script, str(hosts))

    async def _proxy(self, target: tuple[str, int], at: tuple[str, int] | None = None) -> str:
        return await super()._proxy(target, at or (self._at, 0))

    def _pair(self, near: str, ours: str, theirs: str) -> None:
        far = f"{near}x"
        _do("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", self._name)
        _do("ip", "address", "add", f"{ours}/30", "dev", near)
        _do("ip", "link", "set", near, "up")
        inside = ("ip", "-n", self._name)
        _do(*inside, "address", "add", f"{theirs}/30", "dev", far)
        for device in (far, "lo"):
            _do(*inside, "link", "set", device, "up")

    def impair(self, *, delay: float, loss: float) -> None:
        """See `Proxies.impair`."""
        try:
            self._netem(delay, loss)
            self.what = "network namespaces, tc netem"
        except subprocess.CalledProcessError:  # the kernel has none
            super().impair(delay=delay, loss=0)
            self._stop_flapping()
            self._flapping = asyncio.create_task(self._flap(loss)) if loss else None
            self.what = "network namespaces, delay in proxies, loss by a link that flaps"

    def _netem(self, delay: float, loss: float) -> None:
        how = ("netem", "delay", f"{delay * 1000:g}ms", "loss", f"{loss * 100:g}%")
        _do("tc", "qdisc", "replace", "dev", self._near, "root", *how)
        inside = ("tc", "-n", self._name)
        _do(*inside, "qdisc", "replace", "dev", f"{self._near}x", "root", *how)

    def _stop_flapping(self) -> None:
        if self._flapping:
            self._flapping.cancel()

    async def _flap(self, loss: float) -> None:
        try:
            while True:
                await asyncio.sleep(_DOWN / loss - _DOWN)
                self.unplug()
                await asyncio.sleep(_DOWN)
                self.plug()
        finally:
            self.plug()

    def unplug(self) -> None:
        """See `Proxies.unplug`."""
        _do("ip", "link", "set", self._near, "down")

    def plug(self) -> None:
        """Let all through again; the kernels send once more what was lost."""
        _do("ip", "link", "set", self._near, "up")


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


NETS: dict[str, Callable[[Stage], Proxies]] = {"proxies": Proxies, "namespaces": Wire}
