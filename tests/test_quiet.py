"""What a run leaves out: log lines that say no more than a state, results that nobody reads."""

import logging
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.results import ResultStore
from prefect.states import return_value_to_state

from flows.quiet import calm_the_log
from lastword import runs
from lastword.runs import AccountRef
from lastword.services import use
from models.database import Database
from tasks.sync_account import sync_account
from tests.test_record import services


def test_the_log_has_no_line_for_what_ended_well(caplog: pytest.LogCaptureFixture) -> None:
    calm_the_log()
    log = logging.getLogger("prefect.task_runs")
    here = {"send_to_api": False}
    with caplog.at_level(logging.DEBUG, log.name):
        log.info("Finished in state Unchanged('nothing new', type=COMPLETED)", extra=here)
        log.error("Finished in state Failed('410 Gone')", exc_info=(None, None, None), extra=here)
        log.info("Task run failed with state: Failed() - Retry 1/2 will start", extra=here)
    assert [record.getMessage()[:16] for record in caplog.records] == [
        "Finished in stat",
        "Task run failed ",
    ]
    assert "NoneType" not in caplog.text


async def test_prefect_makes_no_result_where_there_is_none(database: Database) -> None:
    """It would look in the file system for where to keep it, for each account."""
    run_id = await runs.begin(database, runs.Which.DUE, 1, None)
    with use(services(database, ValueError())):
        state = cast("State[Any]", await sync_account.fn(AccountRef(1, "gone"), run_id))
    nowhere = cast("ResultStore", None)
    assert (await return_value_to_state(state, nowhere)).name == "Skipped"
