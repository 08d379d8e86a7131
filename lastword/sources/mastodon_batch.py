"""Asking a server for many accounts at once what has changed (Mastodon 4.3 and later)."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from lastword.errors import Deferred, LastWordError
from lastword.sources.batches import Batches
from lastword.sources.mastodon_account import Profile
from lastword.sources.mastodon_api import Api, Closed
from lastword.sources.mastodon_memory import Memory
from models import Account

_SIZE = 40
"""Accounts that a server shows at once; for no more than these it is not worth while."""


class Together:
    """The accounts of a run that are asked for together, on each server that has many of them.

    Args:
        api: how servers are asked.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._servers: dict[str, Batches[str, Profile]] = {}

    def expect(self, accounts: Sequence[Account]) -> None:
        """Learn which accounts the run is over."""
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for account in accounts:
            try:
                memory = Memory.of(account.source.partition(":")[2], account.source_memory)
            except ValueError:
                continue
            if memory.id and not memory.feed:
                ids[memory.base].append(memory.id)
        for base, known in ids.items():
            if len(known) > _SIZE:
                batches = Batches(partial(self._api.accounts, base), _SIZE)
                batches.expect(known)
                self._servers[base] = batches

    async def profile(self, memory: Memory) -> Profile | None:
        """Return what the server says of an account, or None where it was not asked or is silent.

        A server that cannot answer is not asked again in this run.

        Raises:
            Deferred: the server has had enough of us.
        """
        batches = self._servers.get(memory.base)
        if batches is None or memory.id is None or memory.feed:
            return None
        try:
            return await batches.load(memory.id)
        except Deferred:
            raise
        except (LastWordError, Closed):
            self._servers.pop(memory.base, None)
            return None
