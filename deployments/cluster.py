"""The profile `cluster`: what it needs is asked whether it serves, before anything is started."""

from importlib.util import find_spec

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from deployments.cluster_postgresql import check_postgresql
from deployments.cluster_redis import check_redis
from deployments.profile import Cluster
from lastword.secret_files import FileSettings
from lastword.settings import Settings
from lastword.usage import UsageError


class ClusterSettings(FileSettings):
    """Where Prefect's server keeps its tables and its messages in the profile `cluster`."""

    model_config = SettingsConfigDict(env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore")

    FROM_FILES = frozenset({"prefect_database_url", "redis_url"})

    prefect_database_url: SecretStr | None = None
    """SQLAlchemy URL of a PostgreSQL database that is Prefect's alone."""
    redis_url: SecretStr | None = None
    """Like `redis://[user:password@]host:6379/0`, or `rediss://` over TLS."""


async def cluster_of(settings: Settings) -> Cluster:
    """Return what the settings name, once all of it has been seen to serve.

    Args:
        settings: ours; our own tables may be anywhere, but not in Prefect's database.

    Raises:
        UsageError: something is not set, not installed, or does not serve; with what to do.
    """
    told = ClusterSettings()
    if not told.prefect_database_url or not told.redis_url:
        raise UsageError(
            "the profile cluster needs LASTWORD_PREFECT_DATABASE_URL (PostgreSQL) and"
            " LASTWORD_REDIS_URL (Redis), or the same with _FILE: see docs/scaling.md"
        )
    if find_spec("prefect_redis") is None:
        raise UsageError(
            "the profile cluster needs the package prefect-redis: install Last Word with its extra"
            " `redis`"
        )
    database = await check_postgresql(
        told.prefect_database_url, settings.database.get_secret_value()
    )
    await check_redis(told.redis_url)
    return Cluster(database, told.redis_url)
