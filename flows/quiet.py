"""A calm log: a line where something went otherwise than it should, not one for each account."""

import logging

from lastword.discretion import be_discreet


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Tell whether a record says more than the task run's state does.

    Prefect logs the end of each task run: formatted, sent to its server and kept there, that line
    is a fifth of what a task run costs. Of those that ended well, the state says the same.
    """
    if record.exc_info and record.exc_info[0] is None:
        # Prefect asks for a traceback where a task returned its failure as a state.
        record.exc_info = None
    return record.levelno > logging.INFO or not str(record.msg).startswith("Finished in state")


def calm_the_log() -> None:
    """Keep `NoneType: None`, secrets, and what is no news out of the log; again changes nothing."""
    be_discreet()
    logging.getLogger("prefect.task_runs").addFilter(_is_worth_a_line)
