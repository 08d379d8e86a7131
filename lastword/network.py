"""Is the network there at all? Where nobody ever answers, no account is to blame for it."""

from time import monotonic

from lastword.errors import Systemic

HOSTS = 30
"""So many have failed and none has answered: it is not they."""


class Network:
    """What a run has heard of it; one answer by anybody, and it is there for the rest of the run.

    Args:
        patience: seconds from the first request on, in which one host at least would answer: those
            that are gone say so sooner than the others answer.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._asked_at: float | None = None
        self._failed: set[str] = set()
        self._is_there = False

    def ask(self) -> None:
        """Note that a host is about to be asked."""
        if self._asked_at is None:
            self._asked_at = monotonic()

    def hear(self) -> None:
        """Note that a host has answered, whatever it said."""
        self._is_there = True
        self._failed.clear()

    def miss(self, host: str) -> None:
        """Note that a host has failed.

        Raises:
            Systemic: so has everybody else.
        """
        if self._is_there:
            return
        self._failed.add(host)
        since = monotonic() - (self._asked_at or monotonic())
        if len(self._failed) >= HOSTS and since >= self._patience:
            raise Systemic(
                f"none of {len(self._failed)} hosts answers: check this machine's network and DNS"
            )
