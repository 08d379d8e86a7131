"""Opening a user's session: the one of before where the server still has it, else a new one."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from lastword.errors import Transient
from lastword.publishers.client import Client
from lastword.publishers.resumption import NotResumed, Saved


class Open(Protocol):
    """`xmpp_session` for one account."""

    def __call__(
        self, *, saved: Saved | None = None, resource: str | None = None
    ) -> AbstractAsyncContextManager[Client]: ...


@asynccontextmanager
async def reopened(session: Open, saved: Saved | None) -> AsyncIterator[Client]:
    """Open a session, resumed if possible: one login where the server says yes or no to that.

    Prosody 0.12 says nothing at all where more than 500 stanzas are waiting, and keeps what it
    would not give us. A new login under the same name ends that one; where the server lets no
    login end another, it is done under a new name.

    Args:
        session: opens one.
        saved: what was kept; None: nothing.

    Raises:
        LastWordError: no session came about. A refusal of the login is never followed by another.
    """
    async with AsyncExitStack() as stack:
        yield await _client(stack, session, saved)


async def _client(stack: AsyncExitStack, session: Open, saved: Saved | None) -> Client:
    if saved:
        try:
            return await stack.enter_async_context(session(saved=saved))
        except NotResumed:
            pass
        try:
            resource = saved.jid.partition("/")[2]
            return await stack.enter_async_context(session(resource=resource))
        except Transient:
            pass
    return await stack.enter_async_context(session())
