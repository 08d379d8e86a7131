"""The witness: an ordinary XMPP client, the contact of everybody, that tells what it is shown.

It shares no code with the publishers that it watches.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from slixmpp import JID, ClientXMPP
from slixmpp.exceptions import XMPPError
from slixmpp.plugins.xep_0108 import UserActivity
from slixmpp.stanza import Message, Presence

ACTIVITY = UserActivity.namespace
_LOGIN = 20.0
_LEAVE = 2.0
_QUIET_ROUNDS = 2
_ROUND = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """What the contact sees of one person.

    Attributes:
        activity: the text of their User Activity (XEP-0108).
        show: `available`, `away`, `chat`, `dnd`, `xa` or `unavailable`.
        status: the words of their presence.
        priority: of the resource that spoke last.
        resource: its name.
    """

    activity: str | None = None
    show: str = "unavailable"
    status: str | None = None
    priority: int | None = None
    resource: str = ""


class Contact:
    """Online for the length of an `async with` block.

    Args:
        jid: bare JID.
        password: its password.
        host: where the server listens, with STARTTLS.
        port: likewise.
        ca_file: PEM certificates to trust.
        interests: PEP nodes to be notified of, beside activity.

    Attributes:
        people: what is seen of each person now, by localpart.
        history: each change, in the order of arrival.
        client: slixmpp's, for what is not offered here.
    """

    client: ClientXMPP

    def __init__(
        self,
        jid: str,
        password: str,
        *,
        host: str,
        port: int,
        ca_file: Path,
        interests: Iterable[str] = (),
    ) -> None:
        self.people: dict[str, Seen] = {}
        self.history: list[tuple[str, Seen]] = []
        self._jid = jid
        self._password = password
        self._address = (host, port)
        self._interests = tuple(interests)
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.client = client = ClientXMPP(self._jid, self._password, ssl_context=self._tls)
        client.enable_direct_tls = False
        client.register_plugin("xep_0199")
        client.register_plugin("xep_0108")
        client.add_event_handler("presence", self._on_presence)
        client.add_event_handler("user_activity_publish", self._on_activity)
        outcome = client.loop.create_future()
        for event in ("session_start", "failed_all_auth", "connection_failed", "disconnected"):
            client.add_event_handler(event, _teller(outcome, event))
        client.connect(*self._address)
        try:
            async with asyncio.timeout(_LOGIN):
                _check(await outcome, self._jid)
                for node in self._interests:
                    await client.plugin["xep_0030"].add_feature(f"{node}+notify")
                # The caps say `activity+notify`: without them the server sends no activities.
                await client.plugin["xep_0115"].update_caps(broadcast=False)
                await client.get_roster()
            client.send_presence()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def seen(
        self,
        names: Iterable[str],
        deadline: float = 60,
        enough: Callable[[Seen], bool] = lambda seen: seen.activity is not None,
    ) -> Mapping[str, Seen]:
        """Return what is seen of these people, now that the server has told all that it knows.

        Args:
            names: localparts.
            deadline: seconds to wait at most.
            enough: whether nothing more needs to be known of a person.
        """
        names = list(names)
        end = monotonic() + deadline
        quiet = 0
        while monotonic() < end and quiet < _QUIET_ROUNDS:
            if all(enough(self._of(name)) for name in names):
                break
            before = len(self.history)
            await self._ping()
            await asyncio.sleep(_ROUND)
            quiet = 0 if len(self.history) > before else quiet + 1
        return {name: self._of(name) for name in names}

    async def until(
        self, name: str, predicate: Callable[[Seen], bool], deadline: float = 20
    ) -> Seen:
        """Return what is seen of a person once it is as the predicate wants.

        Args:
            name: localpart.
            predicate: of what is seen.
            deadline: seconds to wait at most.

        Raises:
            TimeoutError: it did not come about; the message says what is seen instead.
        """
        try:
            async with asyncio.timeout(deadline):
                while not predicate(self._of(name)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{name} is seen as {self._of(name)}") from None
        return self._of(name)

    def _of(self, name: str) -> Seen:
        return self.people.get(name, Seen())

    def _see(self, name: str, seen: Seen) -> None:
        self.people[name] = seen
        self.history.append((name, seen))
        self._changed.set()

    def _on_presence(self, presence: Presence) -> None:
        sender = presence["from"]
        kind = presence["type"]
        if kind not in ("available", "unavailable", *presence.showtypes):
            return
        if sender.bare != self.client.boundjid.bare:
            seen = replace(
                self._of(sender.user),
                show=kind,
                status=presence["status"] or None,
                priority=None if kind == "unavailable" else presence["priority"],
                resource=sender.resource,
            )
            self._see(sender.user, seen)

    def _on_activity(self, message: Message) -> None:
        name = message["from"].user
        text = message.xml.findtext(f".//{{{ACTIVITY}}}activity/{{{ACTIVITY}}}text")
        self._see(name, replace(self._of(name), activity=text or None))

    async def _ping(self) -> None:
        try:
            server = JID(self.client.boundjid.domain)
            await self.client.plugin["xep_0199"].send_ping(server, timeout=5)
        except XMPPError:
            return

    async def _close(self) -> None:
        client = self.client
        client.cancel_connection_attempt()
        await client.disconnect(wait=_LEAVE)
        client.abort()
        for name in tuple(client.scheduled_events):
            client.cancel_schedule(name)
        if sending := client._run_out_filters:  # noqa: SLF001 (slixmpp leaves it running)
            sending.cancel()
            await asyncio.wait([sending])


def _teller(future: "asyncio.Future[str]", event: str) -> Callable[[object], None]:
    def tell(_: object) -> None:
        if not future.done():
            future.set_result(event)

    return tell


def _check(outcome: str, jid: str) -> None:
    if outcome != "session_start":
        raise RuntimeError(f"the contact {jid} cannot log in: {outcome}")
