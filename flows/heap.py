"""The heap of a process that was made for one run."""

import gc
from functools import cache

YOUNG = 20_000
"""Objects made and not yet freed before the collector looks for cycles among them; Python's 700
are a few accounts, and one look for each account costs a tenth of what the account does."""


@cache
def settle_heap() -> None:
    """Spare the garbage collector work that finds nothing; only the first call does anything.

    Prefect and all else that was imported are 200,000 objects, which stay. Each full collection
    would look at every one of them again, for 0.15 s.
    """
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)
