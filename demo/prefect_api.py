"""Prefect's HTTP API as its UI uses it: start a run, follow it, read its task runs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PAGE = 200
EVERY = 0.3
TRIES = 10
PATIENCE = 120
"""Seconds for one answer: a busy machine is slow, not wrong."""


@dataclass(frozen=True, slots=True)
class State:
    """A run's state: its type, and the name and message that the UI shows."""

    type: str
    name: str
    message: str


class PrefectAPI:
    """One Prefect server. An async context manager."""

    def __init__(self, api: str) -> None:
        self._http = httpx.AsyncClient(base_url=api, timeout=PATIENCE, trust_env=False)
        self._client = str(uuid4())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def deployment(self, name: str) -> dict[str, Any]:
        """Return a deployment by `flow/deployment`."""
        found: dict[str, Any] = await self.call("GET", f"/deployments/name/{name}")
        return found

    async def scheduled(self, deployment: str, deadline: float) -> int:
        """Return how many runs the schedule has laid out, once there are any."""
        found = await self.deployment(deployment)
        wanted = {
            "deployments": {"id": {"any_": [found["id"]]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        async with asyncio.timeout(deadline):
            while True:
                runs = await self.call("POST", "/flow_runs/filter", json=wanted)
                if number := sum(run["auto_scheduled"] for run in runs):
                    return int(number)
                await asyncio.sleep(EVERY)

    async def pause(self, deployment: str) -> None:
        """Let the schedule of a deployment rest: its runs are those that are asked for."""
        found = await self.deployment(deployment)
        await self.call("POST", f"/deployments/{found['id']}/pause_deployment")

    async def resume(self, deployment: str) -> None:
        """Let its schedule lay out runs again."""
        found = await self.deployment(deployment)
        await self.call("POST", f"/deployments/{found['id']}/resume_deployment")

    async def start(self, deployment: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Start a run of a deployment and return its id."""
        found = await self.deployment(deployment)
        run = await self.call(
            "POST",
            f"/deployments/{found['id']}/create_flow_run",
            json={"parameters": parameters or {}, "state": {"type": "SCHEDULED"}},
        )
        return str(run["id"])

    async def state(self, flow_run: str) -> State:
        """Return the present state of a flow run."""
        run = await self.call("GET", f"/flow_runs/{flow_run}")
        return _state(run)

    async def set_state(self, flow_run: str, kind: str) -> None:
        """Put a flow run into a state, whatever it is in."""
        forced = {"state": {"type": kind}, "force": True}
        await self.call("POST", f"/flow_runs/{flow_run}/set_state", json=forced)

    async def end(self, flow_run: str, deadline: float) -> State:
        """Return the final state of a flow run, within so many seconds."""
        async with asyncio.timeout(deadline):
            while True:
                state = await self.state(flow_run)
                if state.type in FINAL:
                    return state
                await asyncio.sleep(EVERY)

    async def under_way(self) -> list[str]:
        """Return the ids of the flow runs that some process works on, by Prefect's word."""
        types = ["PENDING", "RUNNING", "CANCELLING"]
        wanted = {"flow_runs": {"state": {"type": {"any_": types}}}}
        return [run["id"] for run in await self.call("POST", "/flow_runs/filter", json=wanted)]

    async def crash(self, flow_run: str, message: str) -> None:
        """Close a flow run whose process is gone, as an automation does."""
        state = {"type": "CRASHED", "message": message}
        wanted = {"state": state, "force": True}
        await self.call("POST", f"/flow_runs/{flow_run}/set_state", json=wanted)

    async def task_runs(self, flow_run: str) -> dict[str, State]:
        """Return a flow run's task runs: name → state."""
        runs = await self._all("/task_runs/filter", flow_run)
        return {run["name"]: _state(run) for run in runs}

    async def recorded(self, flow_run: str, count: int, deadline: float) -> dict[str, State]:
        """Return the task runs once `count` of them are final: they arrive after the run's end."""
        async with asyncio.timeout(deadline):
            while True:
                found = await self.task_runs(flow_run)
                if sum(state.type in FINAL for state in found.values()) >= count:
                    return found
                await asyncio.sleep(EVERY)

    async def artifacts(self, flow_run: str) -> dict[str, Any]:
        """Return a flow run's artifacts: key → data."""
        found = await self._all("/artifacts/filter", flow_run)
        return {artifact["key"]: artifact["data"] for artifact in found}

    async def artifact_ids(self, flow_run: str) -> dict[str, str]:
        """Return where in the UI a flow run's artifacts are: key → id."""
        found = await self._all("/artifacts/filter", flow_run)
        return {artifact["key"]: artifact["id"] for artifact in found}

    async def _all(self, path: str, flow_run: str) -> list[Any]:
        rows: list[Any] = []
        wanted = {"flow_runs": {"id": {"any_": [flow_run]}}, "limit": PAGE}
        while True:
            page = await self.call("POST", path, json={**wanted, "offset": len(rows)})
            rows += page
            if len(page) < PAGE:
                return rows

    async def call(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401
        """Call the API and return what it answers."""
        if method != "GET" and "Prefect-Csrf-Token" not in self._http.headers:
            await self._fetch_token()
        # Prefect's own client asks again, too, when its SQLite is busy for a moment.
        for _ in range(TRIES):
            reply = await self._http.request(method, path, **arguments)
            if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(EVERY)
        reply.raise_for_status()
        return reply.json()

    async def _fetch_token(self) -> None:
        """Prove, as the UI does, that no other web page sends what we send."""
        reply = await self._http.get("/csrf-token", params={"client": self._client})
        if reply.is_success:  # else the server asks for none
            token = {"Prefect-Csrf-Token": reply.json()["token"]}
            self._http.headers.update({**token, "Prefect-Csrf-Client": self._client})


def _state(run: Mapping[str, Any]) -> State:
    state = run.get("state") or {}
    return State(state.get("type", ""), state.get("name", ""), state.get("message") or "")
