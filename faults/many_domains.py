"""A Prosody with many domains, whose people have their status kept by our module."""

from collections.abc import Sequence

from demo.operated import MODULE
from demo.prosody import MODULES, Prosody
from demo.prosody_storage import lua, write_accounts


class ManyDomains(Prosody):
    """One server, and on each of its domains the same people.

    Args:
        domains: what it serves.
        people: localparts.
        password: everybody's.
        strangers: further names for certificates of its authority.
    """

    def __init__(self, domains: Sequence[str], people: Sequence[str], password: str) -> None:
        first, *others = domains
        super().__init__(
            first,
            dict.fromkeys(people, password),
            modules=(*MODULES, "shared_status"),
            plugin_paths=[MODULE],
        )
        self._others = others

    def _write_files(self) -> None:
        super()._write_files()
        certificate = self.ca.issue_cert(self.domain, *self._others)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._home / "host.pem"))
        for domain in self._others:
            write_accounts(self._home / "data", domain, self._users, self.iterations)
        pem = lua(str(self._home / "host.pem"))
        self._host_settings = "\n".join(
            f"VirtualHost {lua(domain)}\n  ssl = {{ key = {pem}, certificate = {pem} }}"
            for domain in self._others
        )
