"""The heap of a process that was made for one run."""

import gc
from functools import cache


@cache
def settle_heap() -> None:
    """Spare the garbage collector what was imported; only the first call does anything.

    Prefect and all else are 200,000 objects, which stay. Each full collection would look at every
    one of them again, for 0.15 s.
    """
    gc.freeze()
