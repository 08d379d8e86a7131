"""A Prosody whose operator lets Last Word act for the users, and keeps their shared status."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_urlsafe

from demo.prosody import MODULES, Prosody, free_port
from demo.prosody_storage import lua

MODULE = Path(__file__).parent.parent / "deployments" / "prosody"
NAMESPACES = ("http://jabber.org/protocol/pubsub", "google:shared-status")
PRIVILEGED = ("privilege", "shared_status")


class OperatedProsody(Prosody):
    """A server with a component port for us.

    Args:
        domain, users, contacts: see `Prosody`.
        namespaces: requests that the component may make in users' names.
        modules: enabled beside those of a usual configuration.
        settings: lines of Lua for the whole server.

    Attributes:
        component: our name there.
        secret: shared with it.
        component_port: where it listens for us.
    """

    def __init__(
        self,
        domain: str,
        users: Mapping[str, str],
        contacts: Mapping[str, Iterable[str]],
        *,
        namespaces: Iterable[str] = NAMESPACES,
        modules: Iterable[str] = PRIVILEGED,
        settings: str = "",
    ) -> None:
        self.component = f"lastword.{domain}"
        self.secret = token_urlsafe(12)
        self.component_port = free_port()
        rights = ", ".join(f'[{lua(namespace)}] = "both"' for namespace in namespaces)
        granted = f"{{ [{lua(self.component)}] = {{ iq = {{ {rights} }} }} }}"
        modules = tuple(modules)
        enabled = '  modules_enabled = { "privilege" }' if "privilege" in modules else ""
        super().__init__(
            domain,
            users,
            contacts,
            modules=(*MODULES, *modules),
            plugin_paths=[MODULE],
            settings="\n".join(
                (
                    f"component_ports = {{ {self.component_port} }}",
                    'component_interfaces = { "127.0.0.1" }',
                    f"privileged_entities = {granted}",
                    settings,
                )
            ),
            host_settings=f"Component {lua(self.component)}\n"
            f"  component_secret = {lua(self.secret)}\n{enabled}",
        )

    @property
    def gateway(self) -> dict[str, str]:
        """How the component is reached, as LASTWORD_OPERATORS takes it for the domain."""
        return {
            "component": self.component,
            "server": f"{self.host}:{self.component_port}",
            "secret": self.secret,
        }
