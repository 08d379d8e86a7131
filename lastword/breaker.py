"""A circuit breaker for each host: who is down is not asked again and again in the same run."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import inf

from anyio import Event, Semaphore

from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from lastword.network import Network

FAILURES = 5
"""So many in a row, and a host counts as down for the rest of the run."""
TRIALS = 8
"""So many at once may find out whether a host answers at all: a silent one holds up no more."""


@dataclass
class _Host:
    failures: int = 0
    has_answered: bool = False
    trials: Semaphore = field(default_factory=lambda: Semaphore(TRIALS))
    under_way: list[Event] = field(default_factory=list)
    """Of each who asks: set when nobody need wait for it any more."""

    @property
    def is_down(self) -> bool:
        return self.failures >= FAILURES

    @contextmanager
    def asking(self) -> Iterator[None]:
        ended = Event()
        self.under_way.append(ended)
        try:
            yield
        finally:
            self.under_way.remove(ended)
            ended.set()

    def has_done_well(self) -> None:
        self.failures = 0
        self.end_trials()

    def end_trials(self) -> None:
        self.has_answered = True
        for _ in range(self.trials.statistics().tasks_waiting):
            self.trials.release()
        self._release_waiting()

    def has_failed(self) -> None:
        self.failures += 1
        if self.is_down:
            self._release_waiting()

    def _release_waiting(self) -> None:
        for ended in self.under_way:
            ended.set()

    async def others(self) -> None:
        """Wait for those who ask a host at this moment that has never answered.

        Whoever came first would else be tried again by itself, and the next be let in, a moment
        before it is known that the host is down: each would cost the run another deadline.
        """
        for ended in tuple(self.under_way):
            if not self.has_answered:
                await ended.wait()


class Breaker:
    """Made once per run, and shared by all that talk to hosts in one way, HTTP or XMPP.

    Args:
        network: by which many hosts are asked; None: a few, that tell nothing of it.
    """

    def __init__(self, network: Network | None = None) -> None:
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._network = network or Network(inf)

    @asynccontextmanager
    async def watching(self, host: str) -> AsyncIterator[None]:
        """Talk to a host within the block; how the block ends tells how the host does.

        Errors leave it with the host's name: alerts are about hosts before they are about accounts.

        A Transient is a failure; a block that ends well, a Rejected or a Gone are answers. A
        Deferred is neither, for the host may not even have been asked; but where it has never
        answered, and its queue does not move, that is a failure.

        Args:
            host: its name, as messages call it.

        Raises:
            Deferred: the host is down, and this account's turn comes in the next run. Also in
                place of the Transients that told so, so that nothing retries them.
            Systemic: no host answers, and so it is none of them.
        """
        try:
            async with self._judging(host):
                yield
        except LastWordError as error:
            error.host = error.host or host
            raise

    @asynccontextmanager
    async def _judging(self, host: str) -> AsyncIterator[None]:
        state = self._hosts[host]
        async with AsyncExitStack() as stack:
            if not state.has_answered:
                await stack.enter_async_context(state.trials)
            self.check(host)
            self._network.ask()
            try:
                with state.asking():
                    yield
            except Transient as error:
                state.has_failed()
                self._network.miss(host)
                await state.others()
                if state.is_down:
                    raise _down(host) from error
                raise
            except Deferred as error:
                if not error.is_silent:
                    # It may have been the host's own word, and those who wait for a trial to end
                    # wait without a limit: now they wait as everyone does whose host has answered.
                    state.end_trials()
                    self._network.hear()
                elif not state.has_answered:
                    # Fewer may be let in at once than try: who waits for them heard no more.
                    state.has_failed()
                raise
            except (Rejected, Gone):
                state.has_done_well()
                self._network.hear()
                raise
            state.has_done_well()
            self._network.hear()

    def check(self, host: str) -> None:
        """Check that a host has not gone down, which may be while one waited for one's turn.

        Raises:
            Deferred: it has.
        """
        if self._hosts[host].is_down:
            raise _down(host)


def _down(host: str) -> Deferred:
    return Deferred(
        f"{host} is down ({FAILURES} failures in a row): asked again in the next run",
        is_silent=True,
    )
