"""What our tasks have in common: what Prefect keeps of them, and which are tried again."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task

from lastword.errors import Transient

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 2
"""So often what is `retried` is tried again; after how long, the flow says."""


def ours(name: str, task_run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task of which nothing is kept but its state.

    Args:
        name: the task's.
        task_run_name: a template that takes the function's arguments.
    """
    return task(name=name, task_run_name=task_run_name, persist_result=False, cache_policy=NO_CACHE)


def retried(name: str, task_run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task as `ours` does, that is tried again for a `Transient`."""
    return task(
        name=name,
        task_run_name=task_run_name,
        retries=RETRIES,
        retry_jitter_factor=0.5,
        retry_condition_fn=only_transient,
        persist_result=False,
        cache_policy=NO_CACHE,
    )


def only_transient(task: Task[..., object], run: TaskRun, state: State[object]) -> bool:
    """Tell Prefect what is worth a retry. A plain function: others silently never retry."""
    del task, run
    return isinstance(state.data, Transient)


def is_last_attempt() -> bool:
    """Tell whether the present task run, one that is `retried`, is not tried again after this."""
    context = TaskRunContext.get()
    return context is None or context.task_run.run_count > RETRIES
