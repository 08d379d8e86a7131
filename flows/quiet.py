"""A calm log: Prefect asks for a traceback where a task returned its failure as a state."""

import logging

from lastword.discretion import be_discreet


def _drop_empty_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and record.exc_info[0] is None:
        record.exc_info = None
    return True


def calm_the_log() -> None:
    """Keep `NoneType: None`, and secrets, out of the log. Calling it again changes nothing."""
    be_discreet()
    logging.getLogger("prefect.task_runs").addFilter(_drop_empty_traceback)
