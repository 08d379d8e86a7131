"""A calm log: Prefect asks for a traceback where a task returned its failure as a state."""

import logging


def _drop_empty_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and record.exc_info[0] is None:
        record.exc_info = None
    return True


def calm_the_log() -> None:
    """Keep `NoneType: None` out of the task runs' log lines. Calling it again changes nothing."""
    logging.getLogger("prefect.task_runs").addFilter(_drop_empty_traceback)
