"""How much is done, and by which dice: from the environment, as `make faults` sets it."""

import os
from dataclasses import dataclass
from random import Random

_MANY = 400


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the suite was asked for.

    Attributes:
        seed: of all dice; the same one draws the same points.
        points: at which a run is killed, on both databases together.
        people: accounts of such a run.
    """

    seed: int
    points: int
    people: int

    @property
    def is_full(self) -> bool:
        """Whether there is time for all variants, and for the settings' own deadlines."""
        return self.people >= _MANY

    def dice(self, name: str) -> Random:
        """Return dice of a test's own: what others draw does not change what it draws."""
        return Random(f"{self.seed} {name}")  # noqa: S311 (no secret)


PARAMETERS = Parameters(
    seed=int(os.environ.get("SEED") or 1),
    points=int(os.environ.get("POINTS") or 4),
    people=int(os.environ.get("PEOPLE") or 60),
)
