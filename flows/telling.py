"""Whom a run tells how it goes, beside Prefect: a ping outside, and operators where it broke."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.flow_engine import FlowRunTimeoutError

from lastword.cause_words import not_started
from lastword.defect import defect
from lastword.ping import Ping
from lastword.settings import Settings
from lastword.surprise import may_speak
from lastword.wrong_settings import told_as_systemic
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
        with told_as_systemic():
            url = Settings().ping_url
        ping = Ping(url if is_whole else None)
        yield ping
    except FlowRunTimeoutError as error:
        ping.failed(str(error))
        raise  # TimedOut has an automation of its own
    except Exception as error:  # noqa: BLE001 (raised again, in words that may be read)
        trouble = error if may_speak(error) else defect(error)
        ping.failed(str(trouble))
        if is_whole:
            tell(not_started(str(trouble)))
        raise trouble from None
