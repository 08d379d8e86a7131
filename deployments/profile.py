"""The settings that Prefect runs with, as environment variables. Tuned for a run of hundreds.

`single` has all in one process and a SQLite file. `cluster` has Prefect's tables in PostgreSQL and
its messages in Redis, for runs of more task runs than a process can keep in memory.

The batch sizes matter: at Prefect's default of 1 the recorder needs a further 37 s to show 1,000
task runs, and drops what overflows its queue (docs/decisions/0003-prefect-profile.md).
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from pydantic import SecretStr

WORK_POOL = "lastword"
DEPLOYMENT = "sync-accounts/every-30-minutes"

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (not bound: recognised)

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}

_RECORDER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
}

EVENT_DAYS = 2
"""What automations look back at; the larger part by far."""
RUN_DAYS = 7
"""Flow runs with their task runs, states, logs and artifacts; our ledger remembers for longer."""

# Measured by `python -m bench.growth`. What is removed is reused: a SQLite file stays as large as
# it once was, and no larger. Worker logs without a flow run, and workers that are gone, stay.
_RETENTION = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": f"P{RUN_DAYS}D",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{EVENT_DAYS}D",
}

_CLUSTER = {
    "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
    "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Prefect's server keeps what it does not keep in one process.

    Attributes:
        database: SQLAlchemy URL of its tables, with an async driver.
        redis: URL of its messages.
    """

    database: SecretStr
    redis: SecretStr


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """Which server of Prefect's is used.

    Attributes:
        host: address that ours listens at.
        port: its port.
        another: API address of one that runs already, used instead of ours.
        cluster: what ours keeps its data in; None: the profile `single`.
    """

    host: str = "127.0.0.1"
    port: int = 4200
    another: str | None = None
    cluster: Cluster | None = None

    @property
    def api(self) -> str:
        """Its API address, for processes on this machine."""
        return self.another.rstrip("/") if self.another else api_at(self.host, self.port)


def client_environment(home: Path, api: str) -> dict[str, str]:
    """Return the environment of a process that talks to a Prefect server.

    Args:
        home: directory for Prefect's own files.
        api: the server's API address, like `http://127.0.0.1:4200/api`.
    """
    return {**_QUIET, **_RECORDER, "PREFECT_HOME": str(home), "PREFECT_API_URL": api}


def api_at(host: str, port: int) -> str:
    """Return the API address, for processes on this machine, of a server that listens there."""
    host = _ANY.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/api"


def server_environment(
    home: Path, api: str, host: str = "127.0.0.1", cluster: Cluster | None = None
) -> dict[str, str]:
    """Return the environment of the Prefect server that listens at `host` and answers at `api`.

    Args:
        home: directory for Prefect's own files.
        api: its API address.
        host: where it listens.
        cluster: None: the profile `single`.
    """
    return {
        **client_environment(home, api),
        **_RETENTION,
        **(_cluster_environment(cluster) if cluster else {}),
        # Prefect would write the UI's files into its own package, which may be read-only, and is
        # shared by all that run from one installation.
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        # The UI runs in a browser and asks this address: the default names port 4200. Where the
        # server listens everywhere, it is the one that the browser has the UI from.
        "PREFECT_SERVER_UI_API_URL": "/api" if host in _ANY else api,
        # Its API starts processes and asks for no password: no other web page may talk to it.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": api.removesuffix("/api"),
        # Nor may one send what a browser sends without asking: a POST without a content type is
        # taken for JSON. Prefect's UI and client fetch the token that this wants.
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    }


def _cluster_environment(cluster: Cluster) -> dict[str, str]:
    """Return the variables that hold passwords, too: Prefect takes them in no other way.

    Not PREFECT_SERVER_DOCKET_URL, which several servers need for their services: whoever may open
    the API reads it there, password and all (`/api/admin/settings`).
    """
    return {
        **_CLUSTER,
        "PREFECT_API_DATABASE_CONNECTION_URL": cluster.database.get_secret_value(),
        "PREFECT_REDIS_MESSAGING_URL": cluster.redis.get_secret_value(),
    }


def worker_environment(home: Path, api: str) -> dict[str, str]:
    """Return the environment of the worker: it looks for manual reruns every 2 s."""
    return {**client_environment(home, api), "PREFECT_WORKER_QUERY_SECONDS": "2"}


def worker_name(data_dir: Path) -> str:
    """Return the name of the worker of this machine and data directory, the same at each start."""
    return f"lastword-{socket.gethostname()}-{crc32(str(data_dir.absolute()).encode()):08x}"
