"""The flow runs of one run at Prefect: its own, and those of its shards."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId


async def flow_runs_of(client: PrefectClient, flow_run_id: str) -> list[str]:
    """Return the ids of a flow run and of those below it: its shards, each attempt at them.

    To ask for task runs by these is quicker than by the parent: Prefect has an index of them.

    Args:
        client: of Prefect's API.
        flow_run_id: the run's own.
    """
    parent = FlowRunFilterParentFlowRunId(any_=[UUID(flow_run_id)])
    below = FlowRunFilter(parent_flow_run_id=parent)
    found = [flow_run_id]
    # Page by page; there are none below most.
    while page := await client.read_flow_runs(flow_run_filter=below, offset=len(found) - 1):
        found += [str(it.id) for it in page]
    return found
