"""When our Prefect server starts again, what nobody works on any more is Crashed; nothing else."""

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from prefect.states import Running

from deployments.server import close_abandoned_runs

pytestmark = pytest.mark.xdist_group("prefect")


@flow
def nothing() -> None:
    pass


async def test_a_run_of_another_machine_goes_on(prefect_server: None) -> None:
    del prefect_server
    async with get_client() as client:
        workers = {"by hand": None, "ours": "us", "theirs": "them"}
        made = {}
        for name, worker in workers.items():
            run = await client.create_flow_run(nothing, state=Running())
            made[name] = run.id
            if worker:
                await client.update_flow_run_labels(run.id, {"prefect.worker.name": worker})
        await close_abandoned_runs(str(PREFECT_API_URL.value()), "us")
        found = {name: await client.read_flow_run(key) for name, key in made.items()}
        states = {name: run.state.name for name, run in found.items() if run.state}
        assert states == {"by hand": "Crashed", "ours": "Crashed", "theirs": "Running"}
        await client.delete_flow_run(made["theirs"])
