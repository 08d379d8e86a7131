"""A Prosody that lets a component act for its users, and the publisher that does."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.prosody import MODULES, Prosody
from lastword.publishers.operator import Gateway, Operator
from tests.fixtures_xmpp import CONTACT
from tests.xmpp_peer import DOMAIN, PASSWORD

MODULE = Path(__file__).parent.parent / "deployments" / "prosody"
DEBIAN = Path("/usr/lib/prosody/modules/mod_privilege")
COMPONENT = f"lastword.{DOMAIN}"
PEOPLE = [f"subject{number}" for number in range(40)]
BOTH = ("http://jabber.org/protocol/pubsub", "google:shared-status")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Governed(Prosody):
    """A Prosody with a component port.

    Args:
        namespaces: what the component may read and change.
        modules: beside those of Prosody that a usual configuration has.
        more: lines of Lua for the domain.
    """

    def __init__(
        self,
        namespaces: tuple[str, ...] = BOTH,
        modules: tuple[str, ...] = ("privilege", "shared_status"),
        people: tuple[str, ...] = tuple(PEOPLE),
        without: tuple[str, ...] = (),
    ) -> None:
        self.component_port = free_port()
        rights = ", ".join(f'["{it}"] = "both"' for it in namespaces)
        granted = f'{{ ["{COMPONENT}"] = {{ iq = {{ {rights} }} }} }}'
        super().__init__(
            domain=DOMAIN,
            users=dict.fromkeys([*people, CONTACT], PASSWORD),
            contacts={CONTACT: people},
            modules=[it for it in (*MODULES, *modules) if it not in without],
            plugin_paths=[MODULE, DEBIAN],
            settings=f"component_ports = {{ {self.component_port} }}\n"
            'component_interfaces = { "127.0.0.1" }\n'
            f"privileged_entities = {granted}",
            host_settings=f'Component "{COMPONENT}"\n  component_secret = "sesame"\n'
            + ('  modules_enabled = { "privilege" }' if "privilege" in modules else ""),
        )

    def gateway(self, **more: Any) -> Gateway:  # noqa: ANN401
        server = f"127.0.0.1:{self.component_port}"
        given = {"component": COMPONENT, "server": server, "secret": "sesame"} | more
        return Gateway.model_validate(given)


@asynccontextmanager
async def operating(
    at: Governed,
    deadline: float = 10,
    answer_deadline: float = 10,
    **more: Any,  # noqa: ANN401
) -> AsyncIterator[Operator]:
    operator = Operator(
        {DOMAIN: at.gateway(**more)}, deadline=deadline, answer_deadline=answer_deadline
    )
    try:
        yield operator
    finally:
        await operator.close()


@pytest.fixture(scope="session")
def governed() -> Iterator[Governed]:
    with Governed() as server:
        yield server


@pytest.fixture
async def operator(governed: Governed) -> AsyncIterator[Operator]:
    async with operating(governed) as operator:
        yield operator
