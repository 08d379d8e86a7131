"""What Prefect keeps of a task's error: nothing that the error was about."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from lastword.defect import defect
from lastword.surprise import may_speak

P = ParamSpec("P")
R = TypeVar("R")


def careful(work: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Let a task's unexpected error be a `Defect`: its words would stand in the state's message."""

    @wraps(work)
    async def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except Exception as error:
            if may_speak(error):
                raise
            raise defect(error) from None

    return told
