"""The shards' flow runs at Prefect: made, looked at, ended."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, StateType
from prefect.deployments import arun_deployment
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import Crashed

from lastword.shard_course import Seen, Sight

DEPLOYMENT = "sync-shard/shard"

_CANCELLED = {StateType.CANCELLING, StateType.CANCELLED}
_ENDED = {StateType.COMPLETED, StateType.FAILED, StateType.CRASHED}
_BEGUN = {StateType.PENDING, StateType.RUNNING}


async def has_deployment(client: PrefectClient) -> bool:
    """Tell whether the server knows the deployment of shards."""
    try:
        await client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound:
        return False
    return True


class ShardFlowRuns:
    """Those of one run, below the present flow run; see `lastword.shard_course.FlowRuns`.

    Args:
        client: of Prefect's API.
        run_id: the run.
    """

    def __init__(self, client: PrefectClient, run_id: int) -> None:
        self._client = client
        self._run_id = run_id

    async def start(self, number: int, attempt: int) -> str:
        """Have a flow run made for a shard, one for each attempt; return its id."""
        flow_run = await arun_deployment(
            DEPLOYMENT,
            client=self._client,
            parameters={"run_id": self._run_id, "number": number},
            flow_run_name=f"run {self._run_id}, shard {number}"
            + (f", attempt {attempt}" if attempt > 1 else ""),
            # An answer that was lost on its way is asked for again, and makes no second one.
            idempotency_key=f"{runtime.flow_run.id} {number} {attempt}",
            timeout=0,
            as_subflow=True,
        )
        return str(flow_run.id)

    async def seen(self, flow_run_ids: Collection[str]) -> Mapping[str, Sight]:
        """Return how these stand, those that are known."""
        if not flow_run_ids:
            return {}
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(it) for it in flow_run_ids]))
        found = await self._client.read_flow_runs(flow_run_filter=wanted)
        return {
            str(it.id): Sight(_seen(it.state_type), (it.state and it.state.message) or "")
            for it in found
        }

    async def crashed(self, flow_run_id: str, why: str) -> None:
        """Note that its process has died: nobody else would."""
        crashed: State[None] = Crashed(message=why)
        await self._set(flow_run_id, crashed, force=True)

    async def cancel(self, flow_run_ids: Collection[str], why: str) -> None:
        """Have these end, wherever they are: the worker ends a process, the server what waits."""
        for flow_run_id in flow_run_ids:
            await self._set(flow_run_id, State(type=StateType.CANCELLING, message=why))

    async def _set(self, flow_run_id: str, state: State[None], *, force: bool = False) -> None:
        with suppress(Abort, ObjectNotFound):  # it is over already, or forgotten
            await self._client.set_flow_run_state(UUID(flow_run_id), state, force=force)


def _seen(state: StateType | None) -> Seen:
    if state in _CANCELLED:
        return Seen.CANCELLED
    if state in _ENDED:
        return Seen.ENDED
    return Seen.BEGUN if state in _BEGUN else Seen.SCHEDULED
