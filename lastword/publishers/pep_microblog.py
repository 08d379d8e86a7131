"""Microblogging (XEP-0277, XEP-0472): the status as an entry among the user's own.

Of ours there is one at a time, with an id of its own. What the user has written there is never
touched, nor pushed out: servers drop the oldest entry of a node that is full, and PEP nodes are
full with one unless somebody has said otherwise.
"""

import unicodedata
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement

from lastword.errors import Deferred, Rejected, Transient
from lastword.post import Post
from lastword.publishers.line import Line
from lastword.publishers.pubsub import ITEMS, OWNER, PepNode
from lastword.status import clean
from models import Account
from models.types import now

NODE = "urn:xmpp:microblog:0"
_ATOM = "http://www.w3.org/2005/Atom"
_OURS = "lastword-"


class Microblog:
    """The user's microblog. See `pep.Kept`.

    Args:
        line: the user's.
        account: whose posts come there.
    """

    def __init__(self, line: Line, account: Account) -> None:
        self._line = line
        self._account = account
        self._node = PepNode(line, NODE)
        self._has_looked = False
        self._ours: list[str] = []
        self._theirs = 0
        self._most: int | None = None

    async def current(self) -> str | None:
        if not self._may_look():
            return None
        self._has_looked = False
        await self._look()
        if len(self._ours) != 1:  # of two, one was left by a run that was cut off
            return None
        item = await self._node.item(self._ours[0])
        text = None if item is None else item.findtext(f"{{{_ATOM}}}entry/{{{_ATOM}}}title")
        return unicodedata.normalize("NFC", text) if text else None

    async def check(self) -> None:
        self._check_may_look()
        await self._look()
        if not self._theirs:
            return
        self._most = await self._node.most()
        if self._most is None or self._theirs >= self._most:
            room = "tells no limit" if self._most is None else f"has room for {self._most} in all"
            raise Rejected(
                f"the user's microblog at {self._line.domain} {room}, and {self._theirs} of the"
                " user's own in it, which ours could push out: let it keep"
                " more (pubsub#max_items, in the user's client), or leave microblog out of"
                " `lastword accounts edit --pep`"
            )

    async def set(self, status: str, post: Post | None, known: str) -> str | None:
        if self._most is None:
            await self.check()
        name = uuid5(NAMESPACE_URL, f"{self._account.source} {post.id if post else status}")
        number = f"{_OURS}{name}"
        if not self._ours and not self._theirs:
            # It may be there, and empty: ejabberd tells no difference, and refuses to make it anew.
            await self._node.create()
        before = [one for one in self._ours if one != number]
        if self._most and self._theirs + len(self._ours) >= self._most:
            await self._retract(before)
            before = []
        entry = self._entry(status, post, f"urn:uuid:{name}", is_new=number not in self._ours)
        access_model = await self._node.publish(number, entry, known)
        if access_model:
            await self._retract(before)
        self._has_looked = False
        return access_model

    async def clear(self) -> None:
        self._check_may_look()
        await self._look()
        for one in self._ours:
            if (
                not await self._node.retract(one, notify=True)
                and await self._node.item(one) is not None
            ):
                raise Transient(f"{self._line.domain} did not let us take the status back")
        self._has_looked = False

    async def _look(self) -> None:
        if self._has_looked:
            return
        numbers = await self._node.numbers()
        self._has_looked = True
        self._ours = [one for one in numbers or () if one.startswith(_OURS)]
        self._theirs = len(numbers or ()) - len(self._ours)

    async def _retract(self, numbers: list[str]) -> None:
        for one in numbers:
            await self._node.retract(one, notify=True)

    def _may_look(self) -> bool:
        return self._line.may_read(ITEMS) and self._line.may_read(OWNER)

    def _check_may_look(self) -> None:
        if not self._may_look():
            raise Deferred(
                f"{self._line.domain} does not let us see whether the user's microblog has room:"
                f' its privileged_entities need ["{ITEMS}"] = "get" and ["{OWNER}"] = "get" for us'
                " (see docs/xmpp.md)"
            )

    def _entry(self, status: str, post: Post | None, name: str, *, is_new: bool) -> Element:
        """Return the Atom entry (RFC 4287, 4.1.2); its title is the text (XEP-0277, 2.3)."""
        written = (post.time if post else None) or now()
        url = clean(post.url) if post and post.url else None
        entry = Element(f"{{{_ATOM}}}entry")

        def add(tag: str, text: str, parent: Element = entry, **attributes: str) -> None:
            SubElement(parent, f"{{{_ATOM}}}{tag}", attributes).text = text

        author = SubElement(entry, f"{{{_ATOM}}}author")
        add("name", self._account.jid.partition("@")[0], author)
        add("uri", f"xmpp:{self._account.jid}", author)
        add("title", status, type="text")
        if url:
            SubElement(entry, f"{{{_ATOM}}}link", rel="alternate", href=url)
        else:
            add("content", status, type="text")
        add("id", name)
        add("published", written.isoformat(timespec="seconds"))
        add("updated", (written if is_new else now()).isoformat(timespec="seconds"))
        return entry
