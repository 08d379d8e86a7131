"""A surprise in the work for one account, caught so that it costs no other."""

import logging
from pathlib import Path
from traceback import extract_tb

from lastword.errors import Defect
from lastword.surprise import frames

log = logging.getLogger(__name__)


def defect(error: Exception) -> Defect:
    """Name a surprise by type and place; its text stays out, for it may hold a secret."""
    frame = extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    log.error("internal error: %s\n%s", place, frames(error))
    return Defect(f"internal error: {place}; please report it")
