"""Whom a run tells how it goes, beside Prefect: a ping outside, and operators where it broke."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.flow_engine import FlowRunTimeoutError

from lastword.cause_words import not_started
from lastword.errors import Systemic
from lastword.ping import Ping
from lastword.settings import Settings
from models.errors import DatabaseTrouble
from tasks.tell_operators import tell


@contextmanager
def telling(*, is_whole: bool) -> Iterator[Ping]:
    """Give the ping for the length of a run; tell of an error that the block ends by.

    Args:
        is_whole: whether the run is over all that are due. Who reruns some by hand looks on, and
            nobody else need be told.
    """
    ping = Ping(None)
    try:
        url = Settings().ping_url
        ping = Ping(url if is_whole else None)
        yield ping
    except FlowRunTimeoutError as error:
        ping.failed(str(error))
        raise  # TimedOut has an automation of its own
    except Exception as error:
        # What an error says that is not ours may hold a secret.
        ours = isinstance(error, Systemic | DatabaseTrouble)
        said = str(error) if ours else f"internal error ({type(error).__name__}): read the log"
        ping.failed(said)
        if is_whole:
            tell(not_started(said))
        raise
