"""What keeps an account's status on its server when we have left: the shared status, and PEP."""

from dataclasses import dataclass, field

from lastword.post import Post
from lastword.publishers import pep
from lastword.publishers.base import MIXED, Mixed
from lastword.publishers.line import Line
from lastword.publishers.pubsub import PRESENCE
from lastword.publishers.shared_status import SharedStatus
from models import Account

_SEEN_BY_CONTACTS = ("", PRESENCE, "open")


@dataclass(frozen=True, slots=True)
class Held:
    """What became of a status that was set or cleared.

    Attributes:
        carriers: those that hold it, or have let it go.
        notices: what people should know of the others.
    """

    carriers: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Carriers:
    """The carriers that the server has, of those that the account wants.

    The account's `pep_memory` keeps for which choice its status was last published, and the access
    model of each node that holds one of ours; so that what is switched off is taken back.

    Args:
        line: the user's.
        account: the row, detached; its `pep_memory` is assigned.
        has_shared: whether the server keeps a shared status.
        has_pep: whether we may publish there.
    """

    def __init__(
        self, line: Line, account: Account, *, has_shared: bool, has_pep: bool = True
    ) -> None:
        self._account = account
        self._shared = SharedStatus(line) if has_shared else None
        memory = account.pep_memory or {}
        self._asked_before: str = memory.get("asked", pep.DEFAULT)
        self._holding: dict[str, str] = dict(memory.get("held", {}))
        wanted = pep.wanted(account.pep, is_shared=has_shared)
        self._missing = [] if has_pep else wanted
        self._wanted = {it: pep.NODES[it](line, account) for it in wanted if has_pep}
        self._left = {
            it: pep.NODES[it](line, account)
            for it in self._holding
            if has_pep and it in pep.NODES and it not in wanted
        }
        self._texts: dict[str, str | None] = {}

    @property
    def is_shared(self) -> bool:
        """Whether the server keeps a shared status."""
        return self._shared is not None

    @property
    def is_settled(self) -> bool:
        """Whether the status was last published for the present choice of PEP."""
        return self._asked_before == self._account.pep

    async def current(self) -> str | Mixed | None:
        """Return the text that all of them hold; MIXED where they differ, or one is to be left.

        Raises:
            LastWordError: the server did not say.
        """
        if self._shared:
            text = await self._shared.current()
            ours = self._account.published_status
            is_ours = ours and text == self._shared.as_kept(ours)
            self._texts[SharedStatus.NAME] = ours if is_ours else text
        for name, node in (self._wanted | self._left).items():
            self._texts[name] = await node.current()
        texts = set(self._texts.values())
        if self._left or len(texts) > 1:
            return MIXED
        if not texts:
            return None
        (text,) = texts
        # Only what we have put there ourselves is ever taken back.
        self._remember(self._holding if text else {})
        return text

    async def check(self) -> None:
        """Return if a status can be set at no harm to what is the user's own.

        Raises:
            LastWordError: it cannot; the message says what to do.
        """
        for node in self._wanted.values():
            await node.check()

    async def set(self, status: str | None, post: Post | None) -> Held:
        """Set the status, or clear it with None; return once the server has confirmed.

        Contacts are notified once by each node that has another text; by all of them where none
        has, for then somebody insists.

        Raises:
            LastWordError: the server did not confirm.
        """
        held = Held()
        if self._shared:
            if status is not None or not self._is_theirs(SharedStatus.NAME):
                await self._shared.set(status)
            held.carriers.append(SharedStatus.NAME)
        try:
            if status is None:
                await self._clear(self._wanted)
                held.carriers.extend([pep.NAME] if self._wanted else [])
            else:
                await self._publish(status, post, held)
            await self._clear(self._left)
        except BaseException:
            self._remember(self._holding, asked=self._asked_before)
            raise
        self._remember(self._holding)
        return held

    async def _publish(self, status: str, post: Post | None, held: Held) -> None:
        due = {it: node for it, node in self._wanted.items() if self._texts.get(it) != status}
        is_same = not self._left and all(text == status for text in self._texts.values())
        for name, node in (self._wanted if is_same else due).items():
            access_model = await node.set(status, post, self._holding.get(name, ""))
            self._texts[name] = status if access_model else None
            if access_model:
                self._holding[name] = access_model
            else:
                self._holding.pop(name, None)
                self._missing.append(name)
        if self._account.pep != pep.DEFAULT:
            held.notices.extend(f"the server keeps no {name}" for name in self._missing)
        for name in self._wanted:
            access_model = self._holding.get(name, "")
            if access_model not in _SEEN_BY_CONTACTS:
                held.notices.append(
                    f"not all contacts see the {name} (access model {access_model})"
                )
        if self._holding.keys() & self._wanted.keys():
            held.carriers.append(pep.NAME)

    async def _clear(self, nodes: dict[str, pep.Kept]) -> None:
        for name, node in nodes.items():
            if not self._is_theirs(name):
                await node.clear()
                self._texts[name] = None
            self._holding.pop(name, None)

    def _is_theirs(self, name: str) -> bool:
        """Return whether somebody has set other words by hand since: theirs they stay."""
        text, ours = self._texts.get(name), self._account.published_status
        return bool(text and ours and text != ours)

    def _remember(self, holding: dict[str, str], asked: str | None = None) -> None:
        asked = self._account.pep if asked is None else asked
        self._account.pep_memory = {"asked": asked, "held": dict(holding)}
