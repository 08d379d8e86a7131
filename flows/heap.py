"""The heap of a process that was made for one run."""

import gc
from functools import cache

YOUNG = 20_000
"""Objects made and not yet freed before the collector looks for cycles among them. Python's 700 are
less than one account under way: one look for each costs a tenth of what the account does."""
OLDER = 3
"""Looks after which those that stayed are looked at, too. By Python's 10, what sessions leave would
take 10 MB more."""


@cache
def settle_heap() -> None:
    """Spare the garbage collector work that finds nothing; only the first call does anything.

    Prefect and all else that was imported are 200,000 objects, which stay. Each full collection
    would look at every one of them again, for 0.15 s.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
