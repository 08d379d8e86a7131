"""Publisher `operator`: on the authority of the server's operator, without any user's password.

One connection for each server, shared by all of its accounts, whose requests do not wait for
each other's answers.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from lastword.breaker import Breaker
from lastword.errors import Deferred, Systemic
from lastword.jid import domain_of
from lastword.lease import Lease
from lastword.post import Post
from lastword.publishers import privilege, pubsub
from lastword.publishers.base import Confirmation, Mixed, Publisher, check_xml
from lastword.publishers.carriers import Carriers
from lastword.publishers.component import Component, NotAccepted
from lastword.publishers.component_turns import ComponentTurns
from lastword.publishers.disco import Disco
from lastword.publishers.privilege import PrivilegedLine
from lastword.publishers.shared_status import SharedStatus
from lastword.secret_files import FileSettings
from models import Account
from models.database import Database

_AT_ONCE = 64
"""Accounts whose requests are under way on one connection: enough to keep a server busy."""


class Gateway(BaseModel):
    """How one server's component port is reached."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    component: str = Field(min_length=1)
    """Our name there, a domain of its own."""
    server: str = Field(default="127.0.0.1:5347", pattern=r"^\S+:\d{1,5}$")
    """`host:port` of its component port."""
    secret: SecretStr | None = None
    """Shared with the server,"""
    secret_file: Path | None = None
    """or a file with nothing but the secret."""

    @model_validator(mode="after")
    def _one_secret(self) -> "Gateway":
        if (self.secret is None) is (self.secret_file is None):
            raise ValueError("it takes either secret or secret_file")
        return self

    def read_secret(self, domain: str) -> SecretStr:
        """Return the secret.

        Raises:
            Systemic: its file cannot be read.
        """
        if self.secret:
            return self.secret
        try:
            return SecretStr(Path(f"{self.secret_file}").read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise Systemic(
                f"the secret of the component at {domain} cannot be read from {self.secret_file}"
                f" ({getattr(error, 'strerror', None) or 'not UTF-8'})",
                kind=f"operator:{domain}",
            ) from None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.server.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


class OperatorSettings(FileSettings):
    """What only this publisher needs."""

    model_config = SettingsConfigDict(
        env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    FROM_FILES = frozenset({"operators"})

    operators: dict[str, Gateway] = Field(default_factory=dict)
    """XMPP domain → gateway, as JSON object."""


class OperatorSession:
    """One account's way to its status over the shared connection.

    Args:
        line: the user's.
        namespaces: what we may both read and change, of what the server has.
        account: the row, detached; see `Carriers`.
    """

    def __init__(self, line: PrivilegedLine, namespaces: frozenset[str], account: Account) -> None:
        has_shared, has_pep = (it in namespaces for it in (SharedStatus.NS, pubsub.NS))
        self._carriers = Carriers(line, account, has_shared=has_shared, has_pep=has_pep)

    async def current(self) -> str | Mixed | None:
        """Return the text that the server holds. See `Session.current`.

        Raises:
            LastWordError: see `PrivilegedLine.ask`.
        """
        return await self._carriers.current()

    async def set(self, status: str | None, post: Post | None = None) -> Confirmation:
        """Set the status, or clear it with None; return once the server has confirmed.

        Raises:
            Deferred: nothing on the server keeps it.
            LastWordError: see `PrivilegedLine.ask` and `Carriers.check`.
            Defect: the status was not cleaned.
        """
        check_xml(status)
        if status is not None:
            await self._carriers.check()
        held = await self._carriers.set(status, post)
        if status is not None and not held.carriers:
            raise Deferred(
                "nothing on the server keeps a status for this user: it may not have PEP, or the"
                " account wants none of it (`lastword accounts edit --pep`)"
            )
        return Confirmation("+".join(held.carriers), "; ".join(held.notices))


class Operator(Publisher):
    """Opens sessions for accounts on servers whose operator lets us act for the users.

    Args:
        gateways: by XMPP domain.
        deadline: seconds for connecting.
        answer_deadline: seconds for the server to answer one request.
        shared_by: our database, where other processes publish at the same time: a server takes one
            connection of a component only, so they connect by turns; None: we are alone.
    """

    def __init__(
        self,
        gateways: Mapping[str, Gateway],
        *,
        deadline: float,
        answer_deadline: float,
        shared_by: Database | None = None,
    ) -> None:
        turns = ComponentTurns(shared_by) if shared_by else None
        self._links = {
            domain.lower(): _Link(domain.lower(), gateway, deadline, answer_deadline, turns)
            for domain, gateway in gateways.items()
        }
        self._breaker = Breaker()

    @asynccontextmanager
    async def session(self, account: Account) -> AsyncIterator[OperatorSession]:
        """Speak for the account's user.

        Raises:
            LastWordError: there is no connection, or the server does not let us.
        """
        domain = domain_of(account.jid)
        link = self._links.get(domain)
        if link is None:
            raise Deferred(
                f"nobody has set up {domain} for the publisher operator: see LASTWORD_OPERATORS in"
                " docs/xmpp.md"
            )
        async with (
            self._breaker.watching(domain),
            link.at_once,
            link.connected() as (component, namespaces),
        ):
            line = PrivilegedLine(component, account.jid)
            yield OperatorSession(line, namespaces, account)

    async def close(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            await link.close()


class _Link:
    """One server's connection, made when it is first needed, and anew when it was lost."""

    def __init__(
        self,
        domain: str,
        gateway: Gateway,
        deadline: float,
        answer_deadline: float,
        turns: ComponentTurns | None,
    ) -> None:
        self._domain = domain
        self._gateway = gateway
        self._deadlines = {"deadline": deadline, "answer_deadline": answer_deadline}
        self._lock = asyncio.Lock()
        self._component: Component | None = None
        self._namespaces: frozenset[str] = frozenset()
        self._refusal: Systemic | None = None
        self._lease = Lease(partial(turns.turn, domain), self._drop) if turns else None
        self.at_once = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[Component, frozenset[str]]]:
        """Give the connection, and what we may use there; see `_usable`."""
        async with self._lease.turn() if self._lease else nullcontext():
            yield await self._open()

    async def _open(self) -> tuple[Component, frozenset[str]]:
        async with self._lock:
            if self._refusal:  # by those who waited meanwhile, a refused secret is not tried again
                raise Systemic(str(self._refusal), kind=self._refusal.kind)
            if self._component is None or self._component.lost:
                await self._drop()
                try:
                    self._component = await self._connected()
                except Systemic as error:
                    self._refusal = error
                    raise
            return self._component, self._namespaces

    async def close(self) -> None:
        if self._lease:
            await self._lease.close()
        await self._drop()

    async def _drop(self) -> None:
        component, self._component = self._component, None
        if component:
            await component.drop()

    async def _connected(self) -> Component:
        gateway, secret = self._gateway, self._gateway.read_secret(self._domain)
        component = Component(
            gateway.component, secret, gateway.address, domain=self._domain, **self._deadlines
        )
        try:
            await component.open()
            self._namespaces = await self._usable(component)
        except NotAccepted as error:
            await component.drop()
            raise Systemic(
                f"{self._domain} does not accept the component {gateway.component} ({error}): its"
                " name and secret must be the same there and in LASTWORD_OPERATORS",
                kind=f"operator:{self._domain}",
            ) from None
        except BaseException:
            await component.drop()
            raise
        return component

    async def _usable(self, component: Component) -> frozenset[str]:
        """Return what we may use there; what we may do was told before the answer comes."""
        features = await Disco().features(self._domain, component.ask)
        told = component.granted
        offered = [SharedStatus.NS] if SharedStatus.NS in features else []
        usable = privilege.granted(told) & {*offered, pubsub.NS}
        if not usable:
            raise privilege.missing(self._domain, component.name, told, [*offered, pubsub.NS])
        return usable
