"""A Prefect server: asked whether it is there, given our work pool."""

import asyncio
import errno
import socket
from contextlib import suppress
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectAlreadyExists, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed

from deployments.profile import WORK_POOL

_REFUSALS = (401, 403)
"""HTTP's codes: unauthorized, forbidden."""


class ServerTrouble(Exception):
    """Prefect's server cannot be used; the message says what to do."""


def check_port(host: str, port: int) -> None:
    """Return if a server can listen there.

    Raises:
        ServerTrouble: it cannot; the message says what to give instead.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise ServerTrouble(
                f"port {port} is taken: `--port N` for another, or `--server URL` if it is Prefect"
            ) from None
        said = getattr(error, "strerror", None) or error
        if isinstance(error, UnicodeError):  # its own words are of a codec
            said = "it is no name"
        raise ServerTrouble(f"nothing can listen at {host}, port {port}: {said}") from None


async def answers(api: str) -> bool:
    """Tell whether a Prefect server answers at this API address.

    Raises:
        ServerTrouble: it does, and refuses us.
    """
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            if await client.api_healthcheck() is not None:
                return False
            # Of its health it tells whoever asks, also without the password.
            try:
                await client.request("GET", "/admin/version")
            except PrefectHTTPStatusError as error:
                if error.response.status_code in _REFUSALS:
                    raise ServerTrouble(
                        f"Prefect's server at {api} refuses us: set PREFECT_API_AUTH_STRING to"
                        " what its own PREFECT_SERVER_API_AUTH_STRING says"
                    ) from None
                return False
    return True


async def wait_until_it_answers(api: str, deadline: float) -> None:
    """Wait for a server that is starting.

    Args:
        api: its API address.
        deadline: seconds to wait.

    Raises:
        ServerTrouble: it did not answer in time, or refuses us.
    """
    try:
        async with asyncio.timeout(deadline):
            # Another process's port: there is nothing to await but its answer.
            while not await answers(api):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise ServerTrouble(f"no Prefect server answers at {api}") from None


async def make_work_pool(api: str) -> None:
    """Make the work pool that the deployments name; one that is there already stays."""
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            with suppress(ObjectAlreadyExists):
                await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))


async def close_abandoned_runs(api: str, worker: str) -> None:
    """Set runs to Crashed that a server of ours left unfinished when it ended with all the rest.

    Each would hold the deployment's one slot for ever, and every later run would be cancelled.
    What another machine's worker has under way goes on: a server is restarted sooner than missed.

    Args:
        api: the server's API address.
        worker: the name of our worker.
    """
    unfinished = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=unfinished)))
    crashed: State[Any] = Crashed(message="`lastword up` ended while it was under way")
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            for run in await client.read_flow_runs(flow_run_filter=wanted):
                # A worker signs what it takes; what none has taken, we may have begun by hand.
                if run.labels.get("prefect.worker.name", worker) != worker:
                    continue
                await client.set_flow_run_state(run.id, crashed, force=True)
