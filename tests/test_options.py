"""What all tasks have in common, however each is written."""

from typing import Any

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.tasks import Task

from tasks.choose_accounts import choose_accounts
from tasks.follow_shards import follow_shards
from tasks.options import RETRIES, is_last_attempt, only_transient
from tasks.report_run import report_run
from tasks.sync_account import sync_account
from tasks.sync_batch import sync_batch
from tasks.work_on_shard import close_shard, take_shard

ONCE: list[Task[..., Any]] = [choose_accounts, follow_shards, report_run, take_shard, close_shard]
RETRIED: list[Task[..., Any]] = [sync_account, sync_batch]


@pytest.mark.parametrize("task", [*ONCE, *RETRIED], ids=lambda task: task.name)
def test_prefect_keeps_nothing_of_a_task_but_its_state(task: Task[..., Any]) -> None:
    assert task.persist_result is False
    assert task.cache_policy is NO_CACHE


def test_only_accounts_are_tried_again() -> None:
    assert {task.retries for task in ONCE} == {0}
    assert {(task.retries, task.retry_condition_fn) for task in RETRIED} == {
        (RETRIES, only_transient)
    }
    assert is_last_attempt(), "outside of a task run nobody would try again"
