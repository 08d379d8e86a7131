"""A private Prosody on loopback, with its own accounts, rosters and certificate authority."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import trustme

from demo.prosody_storage import ITERATIONS, lua, write_accounts, write_rosters

HOST = "127.0.0.1"
MODULES = (
    *("roster", "saslauth", "tls", "disco", "ping", "carbons", "smacks"),
    *("pep", "lastactivity"),
)
"""What Debian's configuration enables, as far as presence and PEP go; core modules come along."""

_ATTEMPTS = 5
_START = 15.0
_STOP = 10.0
_HEADER = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0'"
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
_CONFIG = """\
run_as_root = {run_as_root}
pidfile = {pidfile}
data_path = {data}
certificates = {home}
plugin_paths = {{ {plugin_paths} }}
log = {{ {{ to = "file", filename = {log}, levels = {{ min = "info" }} }} }}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "s2s", "s2s_auth_certs" }}
interfaces = {{ {host} }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ }}
legacy_ssl_ports = {{ }}
s2s_ports = {{ }}
c2s_require_encryption = true
authentication = "internal_hashed"
{settings}
VirtualHost {domain}
  ssl = {{ key = {pem}, certificate = {pem} }}
{host_settings}
"""


class Prosody:
    """A server for the length of a `with` block.

    Args:
        domain: the XMPP domain that it serves.
        users: password by name, the localpart of the JID.
        contacts: for each contact, the people who are subscribed to them and they to.
        modules: what to enable beside Prosody's core.
        plugin_paths: directories of further modules.
        settings: lines of Lua for the whole server.
        host_settings: lines of Lua for the domain; may go on to other hosts and components.

    Attributes:
        domain: as given.
        host: the address it listens at.
        port: the port for clients, with STARTTLS; known within the block.
        ca: the authority that certified the domain.
        iterations: rounds of the key derivation for passwords, as a subclass wants them.
    """

    iterations = ITERATIONS

    def __init__(
        self,
        domain: str = "chat.example",
        users: Mapping[str, str] | None = None,
        contacts: Mapping[str, Iterable[str]] | None = None,
        *,
        modules: Iterable[str] = MODULES,
        plugin_paths: Iterable[Path] = (),
        settings: str = "",
        host_settings: str = "",
    ) -> None:
        self.domain = domain
        self.host = HOST
        self.port = 0
        self.ca = trustme.CA()
        self._users = dict(users or {})
        self._contacts = {name: list(people) for name, people in (contacts or {}).items()}
        self._modules = tuple(modules)
        self._plugin_paths = tuple(plugin_paths)
        self._settings = settings
        self._host_settings = host_settings
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def certificate(self, name: str) -> trustme.LeafCert:
        """Return a new certificate of the same authority, for another server of the same stage."""
        return self.ca.issue_cert(name)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, PEM."""
        return self._home / "ca.pem"

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    @property
    def log(self) -> str:
        """What it logged so far; Prosody writes its log with some delay."""
        parts = [self._home / name for name in ("output", "prosody.log")]
        return "".join(part.read_text("utf-8", "replace") for part in parts if part.exists())

    @property
    def _home(self) -> Path:
        if self._directory is None:
            raise RuntimeError("Prosody is not started: use it in a `with` block")
        return self._directory

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="lastword-prosody-"))
        try:
            self._write_files()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and remove what it wrote; at most some seconds."""
        self._end_process()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def restart(self) -> None:
        """End the server as an operator does, and start it again on the same port and data."""
        self.end()
        self.start_again()

    def end(self, *, kill: bool = False) -> None:
        """End the server, and leave what it wrote.

        Args:
            kill: at once, as a crash does.
        """
        if kill and self._process:
            self._process.kill()
        self._end_process()

    def start_again(self) -> None:
        """Start a server that was ended, on the same port and data."""
        if not self._start_on(self.port):
            raise RuntimeError(f"Prosody did not start again. It said:\n{self.log}")

    def _write_files(self) -> None:
        data = self._home / "data"
        data.mkdir()
        write_accounts(data, self.domain, self._users, self.iterations)
        write_rosters(data, self.domain, self._contacts)
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        certificate = self.ca.issue_cert(self.domain)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._home / "host.pem"))

    def _start(self) -> None:
        """Start it on a free port; again on another where somebody else was quicker."""
        for _ in range(_ATTEMPTS):
            if self._start_on(free_port()):
                return
            self._end_process()
        raise RuntimeError(f"Prosody did not start. It said:\n{self.log}")

    def _start_on(self, port: int) -> bool:
        """Start it, and tell whether it answers."""
        program = shutil.which("prosody")
        if program is None:
            raise RuntimeError("Prosody is not installed: run `scripts/install-debian prosody`")
        self.port = port
        config = self._home / "prosody.cfg.lua"
        config.write_text(self._config(), encoding="utf-8")
        with (self._home / "output").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 (found by its name)
                [program, "-F", "--config", str(config)],
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us: we stop it in our own time.
                start_new_session=True,
            )
        return self._becomes_ready()

    def _config(self) -> str:
        return _CONFIG.format(
            run_as_root=lua(os.geteuid() == 0),
            pidfile=lua(str(self._home / "prosody.pid")),
            home=lua(str(self._home)),
            data=lua(str(self._home / "data")),
            log=lua(str(self._home / "prosody.log")),
            pem=lua(str(self._home / "host.pem")),
            plugin_paths=", ".join(lua(str(path)) for path in self._plugin_paths),
            modules=", ".join(map(lua, self._modules)),
            host=lua(self.host),
            port=self.port,
            domain=lua(self.domain),
            settings=self._settings,
            host_settings=self._host_settings,
        )

    def _becomes_ready(self) -> bool:
        """Wait until it answers a stream header as our domain."""
        end = monotonic() + _START
        while self._process is not None and self._process.poll() is None and monotonic() < end:
            try:
                return self._answers()
            except OSError:
                sleep(0.02)
        return False

    def _answers(self) -> bool:
        with socket.create_connection(self.address, timeout=2) as connection:
            connection.sendall(_HEADER.format(domain=self.domain).encode())
            answer = b""
            while b"</stream:features>" not in answer:
                chunk = connection.recv(4096)
                if not chunk:
                    return False
                answer += chunk
        return f"from='{self.domain}'".encode() in answer

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that the system gives to nobody else for a while.

    Prosody cannot listen on port 0. A connection that was closed on this port lingers
    (TIME_WAIT): the system skips the port when it looks for a free one, and Prosody may still
    listen there (SO_REUSEADDR).
    """
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((HOST, port)):
            accepted, _ = server.accept()
            accepted.close()
    return port
